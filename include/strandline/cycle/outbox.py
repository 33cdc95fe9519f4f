"""Writes a plan: the cycle's row, the intents, and the planner state of each row."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.overtaken import Overtaken
from strandline.execution.intents import outbox_row
from strandline.pm.decisions import Plan, RowDecision
from strandline.pm.inputs import PlannerState
from strandline.store.rows import to_row, updates, values


def insert_cycle(
    connection: Connection, cycle: datetime, decided: Plan | Overtaken, *, now: datetime, code_version: str,
    strategy_hash: str,
) -> None:  # fmt: skip
    """Insert the cycle's row, which can be done once: nobody plans the cycle again unless a person voids it."""
    plan = decided if isinstance(decided, Plan) else None
    connection.execute(
        text("""
        INSERT INTO cycles
          (cycle_t, outcome, decided_at, known_seq, decisions, decision_digest, code_version, strategy_hash)
        SELECT :cycle, :outcome, :now, seq, :decisions, :digest, :code_version, :strategy_hash FROM commit_counter
        ON CONFLICT (cycle_t) DO UPDATE SET
          outcome = EXCLUDED.outcome, decided_at = EXCLUDED.decided_at, known_seq = EXCLUDED.known_seq,
          decisions = EXCLUDED.decisions, decision_digest = EXCLUDED.decision_digest,
          code_version = EXCLUDED.code_version, strategy_hash = EXCLUDED.strategy_hash
        """),
        {
            "cycle": cycle,
            "outcome": "planned" if plan else decided,
            "now": now,
            "decisions": len(plan.decisions) if plan else 0,
            "digest": plan.digest if plan else None,
            "code_version": code_version,
            "strategy_hash": strategy_hash,
        },
    )


def insert_intents(connection: Connection, decisions: Iterable[RowDecision], now: datetime) -> None:
    """Insert the decisions' intents, each with its evidence."""
    rows = [outbox_row(one.intent, one.evidence, now) for one in decisions if one.intent is not None]
    if rows:
        connection.execute(text(f"INSERT INTO intents {values(rows[0])}"), rows)


def save_planner_states(connection: Connection, decisions: Iterable[RowDecision]) -> None:
    """Replace the planner state of each decided row."""
    rows = [_state_row(one.position_id, one.planner_state) for one in decisions if one.planner_state is not None]
    if rows:
        connection.execute(
            text(f"""
            INSERT INTO planner_state {values(rows[0])}
            ON CONFLICT (position_id) DO UPDATE SET {updates(rows[0], key=["position_id"])}
            """),
            rows,
        )


def _state_row(position_id: UUID, state: PlannerState) -> dict[str, object]:
    return {"position_id": position_id, **to_row(state)}
