"""Strands of holds: only for a row whose hold differs from its last strand, as most rows hold in most cycles."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.position_rows import PositionRow
from strandline.model.canonical import from_json
from strandline.model.ids import derived_id
from strandline.model.rule import Rule
from strandline.model.signal import EngineState
from strandline.model.strand import Strand, StrandDraft, StrandKind
from strandline.pm.decisions import Plan, RowDecision


class _Hold(NamedTuple):
    """What makes one hold differ from another."""

    rule: Rule | None
    state: EngineState | None
    reasons: tuple[str, ...]


def hold_drafts(
    connection: Connection, plan: Plan, rows_by_id: Mapping[UUID, PositionRow], now: datetime, code_version: str
) -> Mapping[str, list[StrandDraft]]:
    """By chain, a strand for each hold that differs from its row's last strand."""
    holds = [decision for decision in plan.decisions if decision.intent is None]
    last = dict(_last_holds(connection, [decision.position_id for decision in holds]))
    drafts: dict[str, list[StrandDraft]] = {}
    for decision in holds:
        if last.get(decision.position_id) != _hold(decision):
            row = rows_by_id[decision.position_id]
            chain = str(row.instrument.venue)
            drafts.setdefault(chain, []).append(_draft(decision, row, plan, now, code_version))
    return drafts


def _hold(decision: RowDecision) -> _Hold:
    return _Hold(decision.rule, decision.state, decision.reasons)


def _last_holds(connection: Connection, positions: Iterable[UUID]) -> Iterator[tuple[UUID, _Hold]]:
    """The rows whose last strand is a hold, with it."""
    rows = connection.execute(
        text("""
        SELECT position_id, s.body
        FROM unnest(CAST(:positions AS uuid[])) AS p (position_id)
        JOIN LATERAL (
          SELECT kind, body FROM strands WHERE strands.position_id = p.position_id ORDER BY seq DESC LIMIT 1
        ) AS s ON s.kind = :hold
        """),
        {"positions": list(positions), "hold": StrandKind.HOLD.value},
    )
    for row in rows:
        strand = from_json(row.body, Strand)
        yield row.position_id, _Hold(strand.rule, strand.state, strand.reasons)


def _draft(decision: RowDecision, row: PositionRow, plan: Plan, now: datetime, code_version: str) -> StrandDraft:
    evidence = decision.evidence
    return StrandDraft(
        strand_id=derived_id("hold", str(decision.position_id), plan.cycle.isoformat(), plan.digest),
        kind=StrandKind.HOLD,
        ts=now,
        cycle=plan.cycle,
        position_id=decision.position_id,
        token_contract=row.instrument.token_contract,
        symbol=row.instrument.symbol,
        state=decision.state,
        rule=decision.rule,
        reasons=decision.reasons,
        rules_not_fired=evidence.rules_not_fired,
        appetite=evidence.appetite,
        exit_urgency=evidence.exit_urgency,
        terms=evidence.terms,
        inputs=evidence.inputs,
        code_version=code_version,
        strategy_hash=plan.strategy_hash,
    )
