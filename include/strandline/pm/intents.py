"""Makes an intent from a rule's result: id, expiry, urgency, slippage."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from strandline.model.exact import Money
from strandline.model.intent import (
    Decision,
    ExecutionIntent,
    Urgency,
    entry_intent_id,
    exit_intent_id,
    manual_intent_id,
)
from strandline.model.rule import Rule
from strandline.model.signal import EngineState
from strandline.pm.context import RowContext
from strandline.pm.exits import nearest_level
from strandline.pm.rule_result import RuleResult


@dataclass(frozen=True)
class _Terms:
    """The fields in which entries and exits differ."""

    intent_id: UUID
    attempt_no: int
    notional: Money | None
    reasons: tuple[str, ...]
    urgency: Urgency
    max_slippage_bps: int
    life_seconds: int


def entry_intent(
    ctx: RowContext, rule: Rule, result: RuleResult, notional: Money, cut_by: tuple[str, ...]
) -> ExecutionIntent:
    """Make an entry, one per row, rule and bar: a skipped entry is not planned again from the same bar."""
    limits = ctx.strategy.execution
    terms = _Terms(
        intent_id=entry_intent_id(ctx.row.position.position_id, ctx.row.trade_no, rule, _source(ctx)[0]),
        attempt_no=0,
        notional=notional,
        reasons=(*result.reasons, *cut_by),
        urgency=Urgency.NORMAL,
        max_slippage_bps=limits.entry_slippage_bps,
        life_seconds=limits.entry_life_seconds,
    )
    return _intent(ctx, rule, result, terms)


def exit_intent(ctx: RowContext, rule: Rule, result: RuleResult) -> ExecutionIntent:
    """Make an exit, one per attempt: it is planned again until the row is flat, with more slippage each time.

    Attempts count whatever rule made them. Trims are counted apart: they press for nothing.
    """
    trims = result.decision is Decision.TRIM
    attempt = sum((ended is Rule.TRIM) is trims for ended in ctx.row.history.ended_exits)
    terms = _Terms(
        intent_id=_exit_id(ctx, rule, attempt),
        attempt_no=attempt,
        notional=None,
        reasons=result.reasons,
        urgency=Urgency.NORMAL if trims else Urgency.HIGH,
        max_slippage_bps=ctx.strategy.execution.entry_slippage_bps if trims else _exit_slippage(ctx, attempt),
        life_seconds=ctx.strategy.execution.exit_life_seconds,
    )
    return _intent(ctx, rule, result, terms)


def _intent(ctx: RowContext, rule: Rule, result: RuleResult, terms: _Terms) -> ExecutionIntent:
    if result.decision is None:
        raise ValueError(f"{rule} did not fire: it makes no intent")
    position, newest = ctx.row.position, ctx.row.newest
    level = nearest_level(newest) if newest else None
    bar, revision, state = _source(ctx)
    return ExecutionIntent(
        intent_id=terms.intent_id,
        position_id=position.position_id,
        venue=position.key.venue,
        token_contract=position.key.token_contract,
        timeframe=position.key.timeframe,
        decision=result.decision,
        exit_reason=result.exit_reason,
        rule=rule,
        trade_no=ctx.row.trade_no,
        attempt_no=terms.attempt_no,
        size_frac=result.size_frac,
        notional=terms.notional,
        quantity=result.quantity,
        urgency=terms.urgency,
        max_slippage_bps=terms.max_slippage_bps,
        reduce_only=result.quantity is not None,
        reasons=terms.reasons,
        state=state,
        appetite=ctx.scores.appetite,
        exit_urgency=ctx.scores.exit_urgency,
        decision_price=ctx.decision_price.price,
        source_bar=bar,
        source_revision=revision,
        attempt_id=newest.attempt_id if newest else None,
        trend_id=newest.trend_id if newest else None,
        state_since=newest.state_since if newest else None,
        bar_count=newest.bar_count if newest else None,
        level_id=level.level_id if level else None,
        cycle=ctx.cycle,
        expires_at=ctx.cycle + timedelta(seconds=terms.life_seconds),
        strategy_hash=ctx.strategy_hash,
    )


def _exit_id(ctx: RowContext, rule: Rule, attempt: int) -> UUID:
    position_id, request = ctx.row.position.position_id, ctx.row.exit_request
    if rule is Rule.MANUAL and request is not None:
        return manual_intent_id(request.request_id, position_id, attempt)
    return exit_intent_id(position_id, ctx.row.trade_no, rule, _source(ctx)[0], attempt)


def _exit_slippage(ctx: RowContext, attempt: int) -> int:
    steps = ctx.strategy.execution.exit_slippage_bps
    return steps[min(attempt, len(steps) - 1)]


def _source(ctx: RowContext) -> tuple[datetime, int, EngineState]:
    """Return the newest signal's bar; for an exit without a signal, the newest bar that is over."""
    newest = ctx.row.newest
    if newest is None:
        return ctx.row.position.key.timeframe.last_final(ctx.cycle), 0, EngineState.S4
    return newest.bar_ts, newest.bar_revision, newest.state
