"""Rules 1 to 6: when a row sells. Nothing stops the first five but an exit that is still open."""

from datetime import timedelta
from typing import Final

from strandline.model.exact import Price, Ratio
from strandline.model.intent import Decision, ExitReason
from strandline.model.side import Side
from strandline.model.signal import Flag, Level, Signal
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.proposals import Sell, SellRule
from strandline.pm.rounding import percent
from strandline.pm.sizes import trim_quantity, trim_share


def stop(at: RowContext) -> Sell | str:
    """Rule 1: it fell too far below what was paid."""
    if at.holding.average_entry is None:
        return why.FLAT
    if at.price is None:
        return why.NO_TRUSTED_PRICE
    line = at.holding.average_entry.scaled(Ratio(1) - percent(at.strategy.exits.stop_pct))
    return _all(at, Decision.DEMOTE, ExitReason.STOP) if at.price <= line else why.ABOVE_STOP


def trail(at: RowContext) -> Sell | str:
    """Rule 2: it had risen enough, and fell back from its highest."""
    if not at.held:
        return why.FLAT
    if at.price is None:
        return why.NO_TRUSTED_PRICE
    if not at.trail.armed or at.trail.line is None:
        return why.TRAIL_NOT_ARMED
    return _all(at, Decision.TRAIL, ExitReason.TRAIL) if at.price <= at.trail.line else why.ABOVE_TRAIL


def time(at: RowContext) -> Sell | str:
    """Rule 3: it went nowhere for too long."""
    if at.holding.first_fill_at is None or not at.held:
        return why.FLAT
    if at.cycle - at.holding.first_fill_at < timedelta(days=at.strategy.exits.time_days):
        return why.NOT_OLD_ENOUGH
    return why.TRAIL_ARMED if at.trail.armed else _all(at, Decision.DEMOTE, ExitReason.TIME)


def trend_ended(at: RowContext) -> Sell | str:
    """Rule 4: what it was bought for is over."""
    return _due(at, ExitReason.TREND_FAILED, ExitReason.TREND_OVER)


def emergency(at: RowContext) -> Sell | str:
    """Rule 5: it fell below the slowest average."""
    return _due(at, ExitReason.EMERGENCY)


def trim(at: RowContext) -> Sell | str:
    """Rule 6: a part is sold into strength, once per level and not too often.

    Where too little would be left it sells all, and stays a trim: the rule that fired is what counts later.
    """
    if not at.held:
        return why.FLAT
    if at.row.block_all:
        return why.BLOCK_ALL
    if at.open_on(Side.SELL):
        return why.OPEN_EXIT
    flag = at.raised(Flag.TRIM_FLAG)
    if isinstance(flag, str):
        return flag
    return _trimmed_before(at, flag.signal) or _part(at, flag.price)


def nearest_level(signal: Signal) -> Level | None:
    """The level that the bar closed next to; of two that are as near, the older one."""
    close = signal.indicators["close"]
    return min(signal.levels, key=lambda level: (abs(level.price - close), level.level_id), default=None)


SELL_RULES: Final[tuple[tuple[int, SellRule], ...]] = (
    (1, stop),
    (2, trail),
    (3, time),
    (4, trend_ended),
    (5, emergency),
    (6, trim),
)
"""In the order in which they are asked."""


def _due(at: RowContext, *reasons: ExitReason) -> Sell | str:
    if not at.held:
        return why.FLAT
    if at.exit_due is None:
        return why.NO_EXIT_DUE
    return _all(at, Decision.DEMOTE, at.exit_due.reason) if at.exit_due.reason in reasons else why.OTHER_EXIT_DUE


def _trimmed_before(at: RowContext, newest: Signal) -> str | None:
    last, level = at.row.past.last_trim, nearest_level(newest)
    if level is None:
        return why.NO_LEVEL
    if last is None:
        return None
    if newest.bar_count - last.bar_count < at.strategy.exits.trim_pause_bars:
        return why.TRIMMED_LATELY
    return why.TRIMMED_AT_LEVEL if level.level_id == last.level_id else None


def _all(at: RowContext, decision: Decision, reason: ExitReason) -> Sell:
    """The executor reads the confirmed quantity again when it prepares the order."""
    return Sell(decision, reason, at.holding.quantity, Ratio(1), (reason.value,))


def _part(at: RowContext, price: Price) -> Sell | str:
    part = trim_share(at)
    quantity = trim_quantity(at, part, price)
    if not quantity:
        return why.TRIM_TOO_SMALL
    if quantity == at.holding.quantity:
        return Sell(Decision.TRIM, None, quantity, Ratio(1), (Flag.TRIM_FLAG.value, why.DUST_RULE))
    return Sell(Decision.TRIM, None, quantity, part, (Flag.TRIM_FLAG.value,))
