"""Appends an intent's strands: the decision with its first result, and an outcome for each later result."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.execution.intents import OutboxIntent
from strandline.ledger.strands import append
from strandline.model.exact import Money
from strandline.model.ids import derived_id
from strandline.model.plan import ExecutionPlan
from strandline.model.result import ExecutionResult
from strandline.model.strand import StrandDraft, StrandKind


def record_skips(
    connection: Connection, skipped: Sequence[OutboxIntent], reason: str, now: datetime, code_version: str
) -> None:
    """Append a decision for each intent that ended without an order."""
    for chain in sorted({_chain(planned) for planned in skipped}):
        drafts = [
            _decision(planned, now, code_version, skip_reason=reason) for planned in skipped if _chain(planned) == chain
        ]
        append(connection, chain, drafts)


def record_result(
    connection: Connection,
    planned: OutboxIntent,
    plan: ExecutionPlan,
    result: ExecutionResult,
    pnl: Money | None,
    now: datetime,
    code_version: str,
) -> None:
    """Append the decision with its first result, or a child of it with a later one."""
    parent = _decision_id(planned)
    count = connection.scalar(
        text("SELECT count(*) FROM strands WHERE strand_id = :parent OR parent = :parent"), {"parent": parent}
    )
    if not count:
        draft = _decision(planned, now, code_version, plan=plan, result=result, pnl=pnl)
    else:
        draft = StrandDraft(
            strand_id=derived_id("strand", "outcome", str(parent), count),
            kind=StrandKind.OUTCOME,
            ts=now,
            parent=parent,
            cycle=planned.intent.cycle,
            position_id=planned.intent.position_id,
            token_contract=planned.intent.token_contract,
            symbol=planned.symbol,
            rule=planned.intent.rule,
            result=result,
            pnl=pnl,
            executed_at=result.seen_at,
            code_version=code_version,
            strategy_hash=planned.intent.strategy_hash,
        )
    append(connection, _chain(planned), [draft])


def _chain(planned: OutboxIntent) -> str:
    return str(planned.intent.venue)


def _decision_id(planned: OutboxIntent) -> UUID:
    return derived_id("strand", "decision", str(planned.intent.intent_id))


def _decision(
    planned: OutboxIntent,
    now: datetime,
    code_version: str,
    *,
    plan: ExecutionPlan | None = None,
    result: ExecutionResult | None = None,
    skip_reason: str | None = None,
    pnl: Money | None = None,
) -> StrandDraft:
    intent, evidence = planned.intent, planned.evidence
    return StrandDraft(
        strand_id=_decision_id(planned),
        kind=StrandKind.DECISION,
        ts=now,
        cycle=intent.cycle,
        position_id=intent.position_id,
        token_contract=intent.token_contract,
        symbol=planned.symbol,
        state=intent.state,
        rule=intent.rule,
        reasons=intent.reasons,
        rules_not_fired=evidence.rules_not_fired,
        appetite=evidence.appetite,
        exit_urgency=evidence.exit_urgency,
        terms=evidence.terms,
        inputs=evidence.inputs,
        intent=intent,
        plan=plan,
        skip_reason=skip_reason,
        result=result,
        pnl=pnl,
        executed_at=None if result is None else result.seen_at,
        code_version=code_version,
        strategy_hash=intent.strategy_hash,
    )
