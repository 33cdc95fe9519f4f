"""Proposals as intents: identity, life, urgency, slippage."""

from datetime import datetime, timedelta

from strandline.model.exact import Money
from strandline.model.intent import Decision, ExecutionIntent, Urgency, entry_intent_id, exit_intent_id
from strandline.model.signal import EngineState
from strandline.pm.context import RowContext
from strandline.pm.proposals import Buy, Sell


def entry_intent(at: RowContext, rule: int, buy: Buy, notional: Money, cut_by: tuple[str, ...]) -> ExecutionIntent:
    """One per row, rule and bar: what was skipped is not tried again from the same bar."""
    limits = at.strategy.execution
    bar, revision, state = _source(at)
    return ExecutionIntent(
        intent_id=entry_intent_id(at.row.position.position_id, at.trade_no, rule, bar),
        position_id=at.row.position.position_id,
        venue=at.row.position.key.venue,
        token_contract=at.row.position.key.token_contract,
        timeframe=at.row.position.key.timeframe,
        decision=buy.decision,
        exit_reason=None,
        rule=rule,
        trade_no=at.trade_no,
        attempt_no=0,
        size_frac=buy.size_frac,
        notional=notional,
        quantity=None,
        urgency=Urgency.NORMAL,
        max_slippage_bps=limits.entry_slippage_bps,
        reduce_only=False,
        reasons=(*buy.reasons, *cut_by),
        state=state,
        appetite=at.urges.appetite,
        exit_urgency=at.urges.exit_urgency,
        decision_price=at.decision_price.price,
        source_bar=bar,
        source_revision=revision,
        cycle=at.cycle,
        expires_at=at.cycle + timedelta(seconds=limits.entry_life_seconds),
        strategy_hash=at.strategy_hash,
    )


def exit_intent(at: RowContext, rule: int, sell: Sell) -> ExecutionIntent:
    """One per attempt: an exit is planned again until the row is flat, each time with more room for the price."""
    limits = at.strategy.execution
    bar, revision, state = _source(at)
    attempt = at.row.past.ended_exits.count(rule)
    return ExecutionIntent(
        intent_id=exit_intent_id(at.row.position.position_id, at.trade_no, rule, bar, attempt),
        position_id=at.row.position.position_id,
        venue=at.row.position.key.venue,
        token_contract=at.row.position.key.token_contract,
        timeframe=at.row.position.key.timeframe,
        decision=sell.decision,
        exit_reason=sell.exit_reason,
        rule=rule,
        trade_no=at.trade_no,
        attempt_no=attempt,
        size_frac=sell.size_frac,
        notional=None,
        quantity=sell.quantity,
        urgency=Urgency.NORMAL if sell.decision is Decision.TRIM else Urgency.HIGH,
        max_slippage_bps=_slippage(at, sell, attempt),
        reduce_only=True,
        reasons=sell.reasons,
        state=state,
        appetite=at.urges.appetite,
        exit_urgency=at.urges.exit_urgency,
        decision_price=at.decision_price.price,
        source_bar=bar,
        source_revision=revision,
        cycle=at.cycle,
        expires_at=at.cycle + timedelta(seconds=limits.exit_life_seconds),
        strategy_hash=at.strategy_hash,
    )


def _slippage(at: RowContext, sell: Sell, attempt: int) -> int:
    limits = at.strategy.execution
    if sell.decision is Decision.TRIM:
        return limits.entry_slippage_bps
    return limits.exit_slippage_bps[min(attempt, len(limits.exit_slippage_bps) - 1)]


def _source(at: RowContext) -> tuple[datetime, int, EngineState]:
    """The newest signal's bar. An exit does not wait for a signal: without one it is the last bar that is over."""
    newest = at.row.newest
    if newest is None:
        return at.row.position.key.timeframe.last_final(at.cycle), 0, EngineState.S4
    return newest.bar_ts, newest.bar_revision, newest.state
