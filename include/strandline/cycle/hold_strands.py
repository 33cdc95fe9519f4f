"""Holds are strands too, but only when something about them has changed: a quiet row would drown the others."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.position_rows import PositionRow
from strandline.model.ids import derived_id
from strandline.model.strand import StrandDraft, StrandKind
from strandline.pm.decisions import Decided, Plan


class _Told(NamedTuple):
    """What makes one hold differ from another."""

    rule: int
    state: str
    reasons: tuple[str, ...]


def hold_drafts(
    connection: Connection, plan: Plan, watched: Mapping[UUID, PositionRow], now: datetime, code_version: str
) -> Mapping[str, list[StrandDraft]]:
    """By chain, the holds that say something else than their row's last strand."""
    holds = [decided for decided in plan.decisions if decided.intent is None]
    last = dict(_last_told(connection, [decided.position_id for decided in holds]))
    drafts: dict[str, list[StrandDraft]] = {}
    for decided in holds:
        if last.get(decided.position_id) != _told(decided):
            row = watched[decided.position_id]
            chain = str(row.instrument.venue)
            drafts.setdefault(chain, []).append(_draft(decided, row, plan, now, code_version))
    return drafts


def _told(decided: Decided) -> _Told:
    return _Told(decided.rule, decided.state or "", decided.reasons)


def _last_told(connection: Connection, positions: Iterable[UUID]) -> Iterator[tuple[UUID, _Told | None]]:
    """Of each row; None where the last strand was no hold."""
    rows = connection.execute(
        text("""
        SELECT position_id, s.kind, s.body::jsonb AS body
        FROM unnest(CAST(:positions AS uuid[])) AS p (position_id)
        JOIN LATERAL (
          SELECT kind, body FROM strands WHERE strands.position_id = p.position_id ORDER BY seq DESC LIMIT 1
        ) AS s ON true
        """),
        {"positions": list(positions)},
    )
    for row in rows:
        told = _Told(row.body["rule"], row.body["inputs"].get("state", ""), tuple(row.body["reasons"]))
        yield row.position_id, told if row.kind == StrandKind.HOLD else None


def _draft(decided: Decided, row: PositionRow, plan: Plan, now: datetime, code_version: str) -> StrandDraft:
    evidence = decided.evidence
    return StrandDraft(
        strand_id=derived_id("hold", str(decided.position_id), plan.cycle.isoformat()),
        kind=StrandKind.HOLD,
        ts=now,
        cycle=plan.cycle,
        position_id=decided.position_id,
        token_contract=row.instrument.token_contract,
        symbol=row.instrument.symbol,
        rule=decided.rule,
        reasons=decided.reasons,
        rules_not_fired=evidence.rules_not_fired,
        appetite=evidence.appetite,
        exit_urgency=evidence.exit_urgency,
        terms=evidence.terms,
        inputs=evidence.inputs,
        code_version=code_version,
        strategy_hash=plan.strategy_hash,
    )
