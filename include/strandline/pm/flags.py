"""Whether a flag counts in this cycle. A flag that is not acted on while it is fresh expires."""

from datetime import datetime, timedelta

from strandline.model.signal import Flag, Signal
from strandline.model.strategy import Entries
from strandline.pm import reasons as why
from strandline.pm.inputs import RowInputs


def fresh_signal(flag: Flag, row: RowInputs, cycle: datetime, entries: Entries) -> Signal | str:
    """The newest signal if it raises the flag and P is still close to its bar, or why the flag does not count."""
    if not any(flag in signal.flags for signal in row.signals):
        return why.NO_FLAG
    newest = row.signals[-1]
    if newest != row.newest or flag not in newest.flags or cycle >= _fresh_until(newest, entries):
        return why.FLAG_EXPIRED
    if (newest.bar_revision or newest.restep) and flag is not Flag.TRIM_FLAG:
        return why.BAR_REVISED
    if row.price is None:
        return why.NO_TRUSTED_PRICE
    drift = abs(float(row.price.price) - newest.indicators["close"])
    if drift > entries.max_drift_atr * newest.indicators["atr"]:
        return why.FLAG_EXPIRED
    return newest


def _fresh_until(signal: Signal, entries: Entries) -> datetime:
    life = min(signal.timeframe.length, timedelta(seconds=entries.flag_life_seconds))
    return signal.bar_end + life
