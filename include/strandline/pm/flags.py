"""Whether a flag counts in this cycle. Flags are for now: what is not acted on while it is fresh is over."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from strandline.model.exact import Price
from strandline.model.signal import Flag, Signal
from strandline.model.strategy import Entries
from strandline.pm import reasons as why
from strandline.pm.inputs import Row


@dataclass(frozen=True)
class Raised:
    """A flag that counts: the signal that raised it, and P, which is still close to that bar."""

    signal: Signal
    price: Price


def raised(flag: Flag, row: Row, cycle: datetime, entries: Entries) -> Raised | str:
    """The flag on the newest bar, or why it does not count. What was done with once does not count again."""
    if not any(flag in signal.flags for signal in row.signals):
        return why.NO_FLAG
    newest = row.signals[-1]
    if newest != row.newest or flag not in newest.flags or cycle >= _fresh_until(newest, entries):
        return why.FLAG_EXPIRED
    if newest.bar_revision > 0 and flag is not Flag.TRIM_FLAG:
        return why.BAR_REVISED
    if row.price is None:
        return why.NO_TRUSTED_PRICE
    drift = abs(float(row.price.price) - newest.indicators["close"])
    if drift > entries.max_drift_atr * newest.indicators["atr"]:
        return why.FLAG_EXPIRED
    return Raised(newest, row.price.price)


def _fresh_until(signal: Signal, entries: Entries) -> datetime:
    life = min(signal.timeframe.length, timedelta(seconds=entries.flag_life_seconds))
    return signal.bar_ts + signal.timeframe.length + life
