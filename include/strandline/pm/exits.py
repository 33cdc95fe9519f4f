"""A person's order, and rules 1 to 6: when a row sells. All but trims wait for nothing but an exit that is still open.

What they began they finish: a stop that half filled sells the rest, wherever the price went.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from strandline.model.exact import Price, Ratio
from strandline.model.intent import Decision, ExitReason
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag, Level, Signal
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.rounding import percent
from strandline.pm.rule_result import RuleFunction, RuleResult, no_order
from strandline.pm.sizes import trim_quantity, trim_share


def manual_exit(ctx: RowContext) -> RuleResult:
    """Before all rules: a person wants the row sold."""
    if not ctx.held:
        return no_order(why.FLAT)
    if not ctx.row.must_exit:
        return no_order(why.NO_EXIT_REQUEST)
    return _sell_all(ctx, Decision.DEMOTE, ExitReason.MANUAL)


def stop(ctx: RowContext) -> RuleResult:
    """Rule 1: P fell too far below the average entry."""
    if ctx.holding.average_entry is None:
        return no_order(why.FLAT)
    if _is_due(ctx, ExitReason.STOP):
        return _sell_all(ctx, Decision.DEMOTE, ExitReason.STOP)
    if ctx.price is None:
        return no_order(why.NO_TRUSTED_PRICE)
    line = ctx.holding.average_entry.scaled(Ratio(1) - percent(ctx.strategy.exits.stop_pct))
    return _sell_all(ctx, Decision.DEMOTE, ExitReason.STOP) if ctx.price <= line else no_order(why.ABOVE_STOP)


def trailing_stop(ctx: RowContext) -> RuleResult:
    """Rule 2: P rose far enough to arm the trail, and fell back to it."""
    if not ctx.held:
        return no_order(why.FLAT)
    if _is_due(ctx, ExitReason.TRAIL):
        return _sell_all(ctx, Decision.TRAIL, ExitReason.TRAIL)
    if ctx.price is None:
        return no_order(why.NO_TRUSTED_PRICE)
    if not ctx.trail.armed or ctx.trail.line is None:
        return no_order(why.TRAIL_NOT_ARMED)
    if ctx.price > ctx.trail.line:
        return no_order(why.ABOVE_TRAIL)
    return _sell_all(ctx, Decision.TRAIL, ExitReason.TRAIL)


def time_stop(ctx: RowContext) -> RuleResult:
    """Rule 3: the trade is too old, and never rose far enough to arm the trail."""
    if ctx.holding.first_fill_at is None or not ctx.held:
        return no_order(why.FLAT)
    if _is_due(ctx, ExitReason.TIME):
        return _sell_all(ctx, Decision.DEMOTE, ExitReason.TIME)
    if ctx.cycle - ctx.holding.first_fill_at < timedelta(days=ctx.strategy.exits.time_days):
        return no_order(why.NOT_OLD_ENOUGH)
    return no_order(why.TRAIL_ARMED) if ctx.trail.armed else _sell_all(ctx, Decision.DEMOTE, ExitReason.TIME)


def trend_end(ctx: RowContext) -> RuleResult:
    """Rule 4: the attempt or the trend that was bought has ended."""
    return _sell_if_due(ctx, ExitReason.TREND_FAILED, ExitReason.TREND_OVER)


def emergency_exit(ctx: RowContext) -> RuleResult:
    """Rule 5: the close fell too far below the slowest average, or stayed below it."""
    return _sell_if_due(ctx, ExitReason.EMERGENCY)


def trim(ctx: RowContext) -> RuleResult:
    """Rule 6: sell a part into strength: at a profit, once per level, not too often and not right after a buy.

    Where too little would be left it sells everything, and stays a trim: later trims count by the rule.
    """
    if not ctx.held:
        return no_order(why.FLAT)
    if ctx.row.block_all:
        return no_order(why.BLOCK_ALL)
    if ctx.open_on(Side.SELL):
        return no_order(why.OPEN_EXIT)
    signal = ctx.fresh_signal(Flag.TRIM_FLAG)
    if isinstance(signal, str):
        return no_order(signal)
    kept_from = _trimmed_before(ctx, signal) or _bought_lately(ctx, signal)
    return no_order(kept_from) if kept_from else _sell_part(ctx, ctx.decision_price.price)


def nearest_level(signal: Signal) -> Level | None:
    """The level nearest to the bar's close; of two that are as near, the older one."""
    close = signal.indicators["close"]
    away = [abs(level.price - close) for level in signal.levels]
    nearest = min(away, default=None)
    as_near = (level for level, distance in zip(signal.levels, away, strict=True) if distance == nearest)
    return min(as_near, key=lambda level: level.level_id, default=None)


SELL_RULES: Final[Mapping[Rule, RuleFunction]] = {
    Rule.MANUAL: manual_exit,
    Rule.STOP: stop,
    Rule.TRAILING_STOP: trailing_stop,
    Rule.TIME_STOP: time_stop,
    Rule.TREND_END: trend_end,
    Rule.EMERGENCY_EXIT: emergency_exit,
    Rule.TRIM: trim,
}
"""In the order in which they are evaluated."""


def _is_due(ctx: RowContext, reason: ExitReason) -> bool:
    return ctx.exit_due is not None and ctx.exit_due.reason is reason


def _sell_if_due(ctx: RowContext, *reasons: ExitReason) -> RuleResult:
    if not ctx.held:
        return no_order(why.FLAT)
    if ctx.exit_due is None:
        return no_order(why.NO_EXIT_DUE)
    if ctx.exit_due.reason not in reasons:
        return no_order(why.OTHER_EXIT_DUE)
    return _sell_all(ctx, Decision.DEMOTE, ctx.exit_due.reason)


def _trimmed_before(ctx: RowContext, newest: Signal) -> str | None:
    last, level = ctx.row.history.last_trim, nearest_level(newest)
    if level is None:
        return why.NO_LEVEL
    if last is None:
        return None
    if newest.bar_count - last.bar_count < ctx.strategy.exits.trim_pause_bars:
        return why.TRIMMED_LATELY
    return why.TRIMMED_AT_LEVEL if level.level_id == last.level_id else None


def _bought_lately(ctx: RowContext, newest: Signal) -> str | None:
    """Whether the last buy is too near, in bars or in price."""
    exits, history = ctx.strategy.exits, ctx.row.history
    if history.last_buy_bar is not None and newest.bar_count - history.last_buy_bar < exits.trim_after_buy_bars:
        return why.BOUGHT_LATELY
    if ctx.price is None or ctx.holding.average_entry is None:
        return why.NO_TRUSTED_PRICE
    rise = float(ctx.price) - float(ctx.holding.average_entry)
    return why.TOO_NEAR_ENTRY if rise < exits.trim_above_entry_atr * newest.indicators["atr"] else None


def _sell_all(ctx: RowContext, decision: Decision, reason: ExitReason) -> RuleResult:
    """The executor reads the confirmed quantity again when it prepares the order."""
    return RuleResult((reason.value,), decision, Ratio(1), exit_reason=reason, quantity=ctx.holding.quantity)


def _sell_part(ctx: RowContext, price: Price) -> RuleResult:
    part = trim_share(ctx)
    quantity = trim_quantity(ctx, part, price)
    if not quantity:
        return no_order(why.TRIM_TOO_SMALL)
    if quantity == ctx.holding.quantity:
        return RuleResult((Flag.TRIM_FLAG.value, why.DUST_RULE), Decision.TRIM, Ratio(1), quantity=quantity)
    return RuleResult((Flag.TRIM_FLAG.value,), Decision.TRIM, part, quantity=quantity)
