"""Plans a cycle: once, on one snapshot of the database, or not at all."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.hold_strands import hold_drafts
from strandline.cycle.inputs import PlanningData, read_inputs
from strandline.cycle.outbox import insert_cycle, insert_intents, save_planner_states
from strandline.cycle.overtaken import overtaken
from strandline.cycle.position_rows import unregistered_rows
from strandline.cycle.runs import Summary, TaskRun
from strandline.cycle.snapshot import in_planner_snapshot
from strandline.execution import cancel, skip_expired
from strandline.ledger.equity import record
from strandline.ledger.strands import append
from strandline.pm import plan
from strandline.pm.decisions import Plan, RowDecision
from strandline.venues.factory import ExecutorFactory


def plan_cycle(context: Context, run: TaskRun) -> Summary:
    """Decide for every row, and commit all of it together; or say why this cycle does not decide."""
    _skip_expired(context)
    return in_planner_snapshot(context.database, lambda connection: _plan(connection, context, run))


def _plan(connection: Connection, context: Context, run: TaskRun) -> Summary:
    refused = _fence(connection, run, context.clock(), context.strategy.freshness.max_cycle_age_seconds)
    if refused is not None:
        if refused != "already_planned" and not run.plan_only:
            _insert_cycle(connection, context, run, refused)
        return {"outcome": refused}
    data = read_inputs(connection, context, run)
    planned = plan(data.inputs, context.strategy)
    if not run.plan_only:
        _commit(connection, context, run, data, planned)
    return {
        "outcome": "plan_only" if run.plan_only else "planned",
        "digest": planned.digest,
        "decisions": len(planned.decisions),
        "intents": [_in_words(data, decision) for decision in planned.decisions if decision.intent],
        "unregistered": list(unregistered_rows(connection)),
    }


def _skip_expired(context: Context) -> None:
    """Skip intents that no executor claimed in time, so that they do not block their rows."""
    for venue in ExecutorFactory.venues():
        with context.database.begin() as connection:
            skip_expired(connection, venue, now=context.clock(), code_version=context.code_version)


def _fence(connection: Connection, run: TaskRun, now: datetime, max_age_seconds: int) -> str | None:
    """Why this cycle may not be planned, or None."""
    reason = overtaken(connection, run, now, timedelta(seconds=max_age_seconds))
    decided = connection.scalar(text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :cycle)"), {"cycle": run.cycle})
    return "already_planned" if decided else reason


def _commit(connection: Connection, context: Context, run: TaskRun, data: PlanningData, planned: Plan) -> None:
    now = context.clock()
    _insert_cycle(connection, context, run, "planned", planned)
    record(connection, data.equity)
    insert_intents(connection, planned.decisions, now)
    save_planner_states(connection, planned.decisions)
    cancelled = [intent_id for decision in planned.decisions for intent_id in decision.cancels]
    cancel(connection, cancelled, "exit_comes_first", now=now, code_version=context.code_version)
    drafts = hold_drafts(connection, planned, data.rows, now, context.code_version)
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


def _in_words(data: PlanningData, decision: RowDecision) -> str:
    row = data.rows[decision.position_id]
    name = f"{row.instrument.symbol} {row.position.key.timeframe}"
    action = decision.intent.decision if decision.intent else "hold"
    return f"{name}: {action} by {decision.rule.label} ({', '.join(decision.reasons)})"
