"""Rules 8 to 11: when a row buys. Blocks and caps are applied afterwards."""

from collections.abc import Mapping
from typing import Final

from strandline.model.exact import Money, Ratio
from strandline.model.intent import Decision
from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.rounding import ratio
from strandline.pm.rule_result import RuleFunction, RuleResult, no_order
from strandline.pm.sizes import entry_notional, entry_share, min_entry, rung_notional


def first_buy(ctx: RowContext) -> RuleResult:
    """Rule 8: the first buy of an attempt."""
    signal = _unlatched_signal(ctx, Flag.BUY_SIGNAL)
    if isinstance(signal, str):
        return no_order(signal)
    if ctx.held:
        return no_order(why.ALREADY_POSITIONED)
    if signal.attempt_id is None:
        return no_order(why.NO_ATTEMPT)
    if signal.attempt_id in ctx.row.history.attempts_bought:
        return no_order(why.ATTEMPT_BOUGHT)
    return _buy_part(ctx, Decision.ADD, 1.0, Flag.BUY_SIGNAL)


def s2_buy(ctx: RowContext) -> RuleResult:
    """Rule 9 in S2: once per visit to S2, holding or not."""
    signal = _unlatched_signal(ctx, Flag.BUY_FLAG) if _in_s2(ctx) else why.NO_FLAG
    if isinstance(signal, str):
        return no_order(signal)
    if signal.state_since in ctx.row.history.s2_visits_bought:
        return no_order(why.VISIT_BOUGHT)
    return _buy_part(ctx, Decision.ADD, ctx.strategy.sizes.s2_factor, Flag.BUY_FLAG)


def first_dip(ctx: RowContext) -> RuleResult:
    """Rule 9 in S3: once on the first dip of a trend, holding or not."""
    signal = why.NO_FLAG if _in_s2(ctx) else _unlatched_signal(ctx, Flag.FIRST_DIP_BUY_FLAG)
    if isinstance(signal, str):
        return no_order(signal)
    if signal.trend_id is None:
        return no_order(why.NO_TREND)
    if signal.trend_id in ctx.row.history.trends_dipped:
        return no_order(why.TREND_DIPPED)
    return _buy_part(ctx, Decision.ADD, ctx.strategy.sizes.s2_factor, Flag.FIRST_DIP_BUY_FLAG)


def ladder(ctx: RowContext) -> RuleResult:
    """Rule 10: a rung of the ladder in a deep dip of a trend, each well below the one before."""
    signal = why.NO_FLAG if _in_s2(ctx) else _unlatched_signal(ctx, Flag.BUY_FLAG)
    if isinstance(signal, str):
        return no_order(signal)
    if signal.trend_id is None:
        return no_order(why.NO_TREND)
    rungs = [rung.price for rung in ctx.row.history.ladder if rung.trend_id == signal.trend_id]
    if len(rungs) >= ctx.strategy.entries.ladder_rungs:
        return no_order(why.LADDER_FULL)
    if rungs and ctx.price is not None and float(ctx.price) > float(rungs[-1]) - _rung_distance(ctx, signal):
        return no_order(why.TOO_NEAR_RUNG)
    part = ratio(ctx.strategy.sizes.ladder_rung * ctx.scores.appetite)
    return _buy(ctx, Decision.TREND_ADD, part, rung_notional(ctx, part), Flag.BUY_FLAG)


def reclaim(ctx: RowContext) -> RuleResult:
    """Rule 11: back in above EMA 333 after an emergency sold, once per trend, whatever the trade lost."""
    signal = ctx.fresh_signal(Flag.RECLAIMED_EMA333)
    if isinstance(signal, str):
        return no_order(signal)
    if signal.trend_id is None or signal.trend_id not in ctx.row.history.trends_fled:
        return no_order(why.NOT_FLED)
    if signal.trend_id in ctx.row.history.trends_reclaimed:
        return no_order(why.TREND_RECLAIMED)
    return _buy_part(ctx, Decision.TREND_ADD, ctx.strategy.sizes.s2_factor, Flag.RECLAIMED_EMA333)


BUY_RULES: Final[Mapping[Rule, RuleFunction]] = {
    Rule.FIRST_BUY: first_buy,
    Rule.S2_BUY: s2_buy,
    Rule.FIRST_DIP: first_dip,
    Rule.LADDER: ladder,
    Rule.RECLAIM: reclaim,
}
"""In the order in which they are evaluated."""


def _unlatched_signal(ctx: RowContext, flag: Flag) -> Signal | str:
    """The signal with this flag, or why it does not count: among others because the last trade lost."""
    signal = ctx.fresh_signal(flag)
    return why.LOSS_LATCH if isinstance(signal, Signal) and ctx.latched else signal


def _in_s2(ctx: RowContext) -> bool:
    return ctx.row.newest is not None and ctx.row.newest.state is EngineState.S2


def _rung_distance(ctx: RowContext, signal: Signal) -> float:
    """How far below the last rung the next one is."""
    entries, now = ctx.strategy.entries, signal.indicators
    return max(entries.ladder_step_atr * now["atr"], entries.ladder_step_band * (now["ema144"] - now["ema333"]))


def _buy_part(ctx: RowContext, decision: Decision, factor: float, flag: Flag) -> RuleResult:
    """Buy a part of what remains of the allocation."""
    part = entry_share(ctx.scores.appetite, factor, ctx.strategy)
    return _buy(ctx, decision, part, entry_notional(ctx, part), flag)


def _buy(ctx: RowContext, decision: Decision, part: Ratio, notional: Money, flag: Flag) -> RuleResult:
    if notional < min_entry(ctx):
        return no_order(why.BELOW_MINIMUM)
    return RuleResult((flag.value,), decision, part, notional=notional)
