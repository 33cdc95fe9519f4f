"""Planning a cycle: once, from what is known, or not at all."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.hold_strands import hold_drafts
from strandline.cycle.inputs import Read, read_inputs
from strandline.cycle.outbox import insert_cycle, insert_intents, keep_memories
from strandline.cycle.overtaken import overtaken
from strandline.cycle.position_rows import unregistered_rows
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import cancel, skip_expired
from strandline.ledger.equity import record
from strandline.ledger.strands import append
from strandline.pm import plan
from strandline.pm.decisions import Decided, Plan
from strandline.venues.factory import ExecutorFactory

_LOCK: Final = 5_787_202


def plan_cycle(context: Context, run: TaskRun) -> Summary:
    """Decide for every row, and commit all of it together; or say why this cycle does not decide."""
    _forget_expired(context)
    with context.database.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        refused = _fence(connection, run, context.clock(), context.strategy.freshness.max_cycle_age_seconds)
        if refused is not None:
            if refused != "already_planned" and not run.plan_only:
                _insert_cycle(connection, context, run, refused)
            return {"outcome": refused}
        read = read_inputs(connection, context, run)
        planned = plan(read.inputs, context.strategy)
        if not run.plan_only:
            _commit(connection, context, run, read, planned)
        return {
            "outcome": "plan_only" if run.plan_only else "planned",
            "digest": planned.digest,
            "decisions": len(planned.decisions),
            "intents": [_in_words(read, decided) for decided in planned.decisions if decided.intent],
            "unregistered": list(unregistered_rows(connection)),
        }


def _forget_expired(context: Context) -> None:
    """What nobody began in time must not keep its row waiting."""
    for venue in ExecutorFactory.venues():
        with context.database.begin() as connection:
            skip_expired(connection, venue, now=context.clock(), code_version=context.code_version)


def _fence(connection: Connection, run: TaskRun, now: datetime, max_age_seconds: int) -> str | None:
    """Why nothing may be planned any more, if so."""
    reason = overtaken(connection, run, now, timedelta(seconds=max_age_seconds))
    decided = connection.scalar(text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :cycle)"), {"cycle": run.cycle})
    return "already_planned" if decided else reason


def _commit(connection: Connection, context: Context, run: TaskRun, read: Read, planned: Plan) -> None:
    now = context.clock()
    _insert_cycle(connection, context, run, "planned", planned)
    record(connection, run.cycle, read.marks, read.assets)
    insert_intents(connection, planned.decisions, now)
    keep_memories(connection, planned.decisions)
    cancelled = [one for decided in planned.decisions for one in decided.cancels]
    cancel(connection, cancelled, "exit_comes_first", now=now, code_version=context.code_version)
    drafts = hold_drafts(connection, planned, read.watched, now, context.code_version)
    for chain in sorted(drafts):
        append(connection, chain, drafts[chain])


def _insert_cycle(
    connection: Connection, context: Context, run: TaskRun, outcome: str, planned: Plan | None = None
) -> None:
    insert_cycle(
        connection,
        run.cycle,
        outcome,
        now=context.clock(),
        code_version=context.code_version,
        strategy_hash=context.strategy.hash,
        plan=planned,
    )


def _in_words(read: Read, decided: Decided) -> str:
    row = read.watched[decided.position_id]
    name = f"{row.instrument.symbol} {row.position.key.timeframe}"
    decision = decided.intent.decision if decided.intent else "hold"
    return f"{name}: {decision} by rule {decided.rule} ({', '.join(decided.reasons)})"
