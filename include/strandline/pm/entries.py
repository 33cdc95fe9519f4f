"""Rules 8 and 9: when a row buys. Blocks and caps are applied afterwards."""

from collections.abc import Mapping
from typing import Final

from strandline.model.intent import Decision
from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.rule_result import RuleFunction, RuleResult, no_order
from strandline.pm.sizes import entry_notional, entry_share, min_entry


def first_buy(ctx: RowContext) -> RuleResult:
    """Rule 8: the first buy of an attempt."""
    signal = ctx.fresh_signal(Flag.BUY_SIGNAL)
    if isinstance(signal, str):
        return no_order(signal)
    if ctx.held:
        return no_order(why.ALREADY_POSITIONED)
    if signal.attempt_id is None:
        return no_order(why.NO_ATTEMPT)
    if signal.attempt_id in ctx.row.history.attempts_bought:
        return no_order(why.ATTEMPT_BOUGHT)
    return _buy(ctx, 1.0, Flag.BUY_SIGNAL)


def s2_buy(ctx: RowContext) -> RuleResult:
    """Rule 9 in S2: once per visit to S2, holding or not."""
    signal = ctx.fresh_signal(Flag.BUY_FLAG) if _in_s2(ctx) else why.NO_FLAG
    if isinstance(signal, str):
        return no_order(signal)
    if signal.state_since in ctx.row.history.s2_visits_bought:
        return no_order(why.VISIT_BOUGHT)
    return _buy(ctx, ctx.strategy.sizes.s2_factor, Flag.BUY_FLAG)


def first_dip(ctx: RowContext) -> RuleResult:
    """Rule 9 in S3: once on the first dip of a trend, holding or not."""
    signal = why.NO_FLAG if _in_s2(ctx) else ctx.fresh_signal(Flag.FIRST_DIP_BUY_FLAG)
    if isinstance(signal, str):
        return no_order(signal)
    if signal.trend_id is None:
        return no_order(why.NO_TREND)
    if signal.trend_id in ctx.row.history.trends_dipped:
        return no_order(why.TREND_DIPPED)
    return _buy(ctx, ctx.strategy.sizes.s2_factor, Flag.FIRST_DIP_BUY_FLAG)


BUY_RULES: Final[Mapping[Rule, RuleFunction]] = {
    Rule.FIRST_BUY: first_buy,
    Rule.S2_BUY: s2_buy,
    Rule.FIRST_DIP: first_dip,
}
"""In the order in which they are evaluated."""


def _in_s2(ctx: RowContext) -> bool:
    return ctx.row.newest is not None and ctx.row.newest.state is EngineState.S2


def _buy(ctx: RowContext, factor: float, flag: Flag) -> RuleResult:
    part = entry_share(ctx.scores.appetite, factor, ctx.strategy)
    notional = entry_notional(ctx, part)
    if notional < min_entry(ctx):
        return no_order(why.BELOW_MINIMUM)
    return RuleResult((flag.value,), Decision.ADD, part, notional=notional)
