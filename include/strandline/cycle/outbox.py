"""What a plan leaves behind, in one transaction: the cycle's row, the intents, and what the planner remembers."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import Connection, text

from strandline.execution.intents import outbox_row
from strandline.pm.decisions import Decided, Plan
from strandline.pm.inputs import Memory
from strandline.store.rows import values


def insert_cycle(
    connection: Connection, cycle: datetime, outcome: str, *, now: datetime, code_version: str, strategy_hash: str,
    plan: Plan | None = None,
) -> None:  # fmt: skip
    """The fence: whoever inserts this row has planned the cycle."""
    connection.execute(
        text("""
        INSERT INTO cycles
          (cycle_t, outcome, decided_at, known_seq, decisions, decision_digest, code_version, strategy_hash)
        SELECT :cycle, :outcome, :now, seq, :decisions, :digest, :code_version, :strategy_hash FROM commit_counter
        """),
        {
            "cycle": cycle,
            "outcome": outcome,
            "now": now,
            "decisions": len(plan.decisions) if plan else 0,
            "digest": plan.digest if plan else None,
            "code_version": code_version,
            "strategy_hash": strategy_hash,
        },
    )


def insert_intents(connection: Connection, decisions: Iterable[Decided], now: datetime) -> None:
    """Each with what it rests on."""
    rows = [outbox_row(one.intent, one.evidence, now) for one in decisions if one.intent is not None]
    if rows:
        connection.execute(text(f"INSERT INTO intents {values(rows[0])}"), rows)


def keep_memories(connection: Connection, decisions: Iterable[Decided]) -> None:
    """Replace what the planner remembers of each row."""
    rows = [_memory_row(one.position_id, one.memory) for one in decisions if one.memory is not None]
    if rows:
        connection.execute(
            text("""
            INSERT INTO planner_state
              (position_id, generation, bar_ts, bar_revision, exit_due, exit_due_bar, trade_no, highest, trail_armed)
            VALUES
              (:position_id, :generation, :bar_ts, :bar_revision, :exit_due, :exit_due_bar, :trade_no, :highest,
               :trail_armed)
            ON CONFLICT (position_id) DO UPDATE SET
              generation = EXCLUDED.generation, bar_ts = EXCLUDED.bar_ts, bar_revision = EXCLUDED.bar_revision,
              exit_due = EXCLUDED.exit_due, exit_due_bar = EXCLUDED.exit_due_bar, trade_no = EXCLUDED.trade_no,
              highest = EXCLUDED.highest, trail_armed = EXCLUDED.trail_armed
            """),
            rows,
        )


def _memory_row(position_id: UUID, memory: Memory) -> dict[str, object]:
    row = asdict(memory)
    return {**row, "position_id": position_id, "highest": memory.highest.decimal if memory.highest else None}
