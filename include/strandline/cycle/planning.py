"""Plans a cycle: once, on one snapshot of the database, or not at all."""

import logging
from datetime import timedelta

from sqlalchemy import Connection

from strandline.cycle.commit import commit_overtaken, commit_plan
from strandline.cycle.context import Context
from strandline.cycle.fence import fence
from strandline.cycle.inputs import PlanningData, read_inputs
from strandline.cycle.overtaken import Overtaken
from strandline.cycle.position_rows import unregistered_rows
from strandline.cycle.runs import Summary, TaskRun
from strandline.cycle.snapshot import in_planner_snapshot
from strandline.execution import skip_expired
from strandline.pm import plan
from strandline.pm.decisions import Plan, RowDecision
from strandline.venues.factory import ExecutorFactory

_log = logging.getLogger(__name__)


def plan_cycle(context: Context, run: TaskRun) -> Summary:
    """Decide for every row, and commit all of it together; or report why this cycle is not planned."""
    if not run.plan_only:
        _skip_expired(context)
    return in_planner_snapshot(context.database, lambda connection: _plan(connection, context, run))


def _plan(connection: Connection, context: Context, run: TaskRun) -> Summary:
    max_age = timedelta(seconds=context.strategy.freshness.max_cycle_age_seconds)
    refused = fence(connection, run, context.clock(), max_age)
    if refused is not None:
        if isinstance(refused, Overtaken) and not run.plan_only:
            commit_overtaken(connection, context, run, refused)
        return {"outcome": refused}
    data = read_inputs(connection, context, run)
    planned = plan(data.inputs, context.strategy)
    if not run.plan_only:
        commit_plan(connection, context, data, planned)
    _warn(data, planned)
    return {
        "outcome": "plan_only" if run.plan_only else "planned",
        "digest": planned.digest,
        "decisions": len(planned.decisions),
        "intents": [_in_words(data, decision) for decision in planned.decisions if decision.intent],
        "breakers": [breaker.value for breaker in planned.breakers],
        "halt": str(data.halt) if data.halt else None,
        "unregistered": list(unregistered_rows(connection)),
    }


def _skip_expired(context: Context) -> None:
    """Skip intents that no executor claimed in time, so that they do not block their rows."""
    for venue in ExecutorFactory.venues():
        with context.database.begin() as connection:
            skip_expired(connection, venue, now=context.clock(), code_version=context.code_version)


def _warn(data: PlanningData, planned: Plan) -> None:
    """Say in each cycle what keeps all rows from trading."""
    for breaker in planned.breakers:
        _log.warning("no entries: the breaker %s is tripped", breaker.value)
    if data.halt:
        _log.warning("%s", data.halt)


def _in_words(data: PlanningData, decision: RowDecision) -> str:
    row = data.rows[decision.position_id]
    name = f"{row.instrument.symbol} {row.position.key.timeframe}"
    action = decision.intent.decision if decision.intent else "hold"
    return f"{name}: {action} by {decision.rule.label} ({', '.join(decision.reasons)})"
