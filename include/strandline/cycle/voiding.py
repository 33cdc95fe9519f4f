"""Voids a cycle that should not have been planned, by a person's command: undoes what it left."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from strandline.cycle.context import Context
from strandline.cycle.early_bars import step_early_bars_again
from strandline.cycle.snapshot import in_planner_snapshot
from strandline.engine import Engine
from strandline.execution import OutboxIntent, read, skip
from strandline.ledger.strands import SYSTEM, append
from strandline.model.errors import StrandlineError
from strandline.model.ids import derived_id
from strandline.model.intent import IntentStatus
from strandline.model.strand import StrandDraft, StrandKind


class Voided(NamedTuple):
    """How many intents were skipped, marks ignored and series begun anew, and how many intents had orders and stay."""

    skipped: int
    marks: int
    series: int
    kept: int


def void_cycle(context: Context, cycle: datetime, *, person: str, reason: str, keep_orders: bool = False) -> Voided:
    """Take the cycle back in one transaction, so that it counts no more and may be planned again.

    Orders that were written down cannot be taken back: without `keep_orders` such a cycle is refused.
    """
    state, now = Engine(context.strategy).new_state(), context.clock()
    order = {"person": person, "reason": reason}

    def void(connection: Connection) -> Voided:
        found = _lock_cycle(connection, cycle) or _add_unplanned(connection, context, cycle)
        intents = _lock_intents(connection, cycle)
        ordered = [one for one in intents if not (one.status.unsent or one.status is IntentStatus.SKIPPED)]
        if ordered and not keep_orders:
            raise _has_orders(cycle, ordered)
        series = step_early_bars_again(connection, cycle, now, state)
        connection.execute(
            text("UPDATE cycles SET outcome = 'voided' WHERE cycle_t = :cycle AND outcome <> 'voided'"),
            {"cycle": cycle},
        )
        marks = connection.execute(
            text("UPDATE marks SET voided = true WHERE cycle_t = :cycle AND NOT voided"), {"cycle": cycle}
        ).rowcount
        unsent = [one for one in intents if one.status.unsent]
        skipped = skip(connection, unsent, "voided", now=now, code_version=context.code_version, detail=reason)
        done = Voided(len(skipped), marks, series, len(ordered))
        append(connection, SYSTEM, [_draft(context, found, now, order, done)])
        return done

    return in_planner_snapshot(context.database, void)


def _lock_cycle(connection: Connection, cycle: datetime) -> Row[Any] | None:
    found = connection.execute(
        text("SELECT * FROM cycles WHERE cycle_t = :cycle FOR UPDATE"), {"cycle": cycle}
    ).one_or_none()
    if found is not None and found.outcome == "voided":
        raise StrandlineError(f"the cycle of {cycle:%Y-%m-%dT%H:%MZ} is void already", "there is nothing left to do")
    return found


def _add_unplanned(connection: Connection, context: Context, cycle: datetime) -> Row[Any]:
    """Add the row of a cycle whose first steps ran, but which was never planned: they left prices and stepped bars.

    Which bars they knew is not stored. Those that changed after the last plan before them count as unknown; which plan
    that was the order of the runs says, because the clock may have jumped.
    """
    found = connection.execute(
        text("""
        INSERT INTO cycles (cycle_t, outcome, decided_at, known_seq, decisions, code_version, strategy_hash)
        SELECT :cycle, 'voided', began.at, coalesce((
            SELECT known_seq FROM cycles JOIN runs USING (cycle_t)
            WHERE outcome = 'planned' AND task_id = 'plan_intents' AND succeeded AND run_no < began.run_no
            ORDER BY run_no DESC LIMIT 1
          ), 0), 0, :code_version, :strategy_hash
        FROM (SELECT min(run_no) AS run_no, min(started_at) AS at, bool_or(succeeded) AS stepped
              FROM runs WHERE cycle_t = :cycle) AS began
        WHERE began.stepped OR began.run_no IS NOT NULL AND EXISTS (SELECT FROM marks WHERE cycle_t = :cycle)
        RETURNING *
        """),
        {"cycle": cycle, "code_version": context.code_version, "strategy_hash": context.strategy.hash},
    ).one_or_none()
    if found is None:
        raise StrandlineError(f"nothing was done for {cycle:%Y-%m-%dT%H:%MZ}", "see `strandline cycles list`")
    return found


def _lock_intents(connection: Connection, cycle: datetime) -> tuple[OutboxIntent, ...]:
    ids = connection.scalars(
        text("SELECT intent_id FROM intents WHERE cycle_t = :cycle ORDER BY intent_id FOR UPDATE"), {"cycle": cycle}
    ).all()
    return read(connection, ids)


def _has_orders(cycle: datetime, ordered: Sequence[OutboxIntent]) -> StrandlineError:
    names = ", ".join(f"{one.symbol} {one.intent.timeframe} ({one.intent.decision}, {one.status})" for one in ordered)
    return StrandlineError(
        f"orders of the cycle of {cycle:%Y-%m-%dT%H:%MZ} were already written down, and no command takes them back: "
        f"{names}",
        "void the rest with --keep-orders: what was bought and sold stays in the books, and the next cycle manages it "
        "like any other holding; sell at once what you do not want to hold until then",
    )


def _draft(context: Context, found: Row[Any], now: datetime, order: Mapping[str, str], done: Voided) -> StrandDraft:
    """Who, why, and what the cycle was: its row changes when it is planned again."""
    return StrandDraft(
        strand_id=derived_id("void", found.cycle_t.isoformat(), found.decided_at.isoformat()),
        kind=StrandKind.CONTROL,
        ts=now,
        cycle=found.cycle_t,
        reasons=("cycle_voided",),
        inputs={
            **order,
            "outcome": "unplanned" if found.outcome == "voided" else found.outcome,
            "decided_at": found.decided_at.isoformat(),
            "decision_digest": found.decision_digest or "",
            **{name: str(count) for name, count in done._asdict().items()},
        },
        code_version=context.code_version,
        strategy_hash=context.strategy.hash,
    )
