"""Chooses the venues that have something to do, and executes one."""

from datetime import timedelta

from strandline.cycle.audit import EXECUTE
from strandline.cycle.context import Context
from strandline.cycle.overtaken import run_overtaken
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import execute_venue, skip_unknown_venues, venues_with_work
from strandline.ledger.strands import of_cycle
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey
from strandline.venues.factory import ExecutorFactory


def choose(context: Context, run: TaskRun) -> Summary:
    """Choose the venues with open intents, orders in doubt or holdings; skip intents of venues without an executor."""
    if unknown := set(run.venues) - set(ExecutorFactory.venues()):
        raise StrandlineError(
            f"there is no venue {', '.join(map(str, sorted(unknown)))}",
            f"the form's field Venues takes {', '.join(map(str, ExecutorFactory.venues()))}",
        )
    with context.database.begin() as connection:
        skipped = skip_unknown_venues(
            connection, known=ExecutorFactory.venues(), now=context.clock(), code_version=context.code_version
        )
        busy = venues_with_work(connection)
    wanted = set(run.venues or context.venues)
    chosen = [] if run.plan_only else sorted(busy & wanted & set(context.venues))
    return {
        "venues": [venue.slug for venue in chosen],
        "tasks": [f"{EXECUTE}{venue.slug}" for venue in chosen],
        "no_executor": skipped,
    }


def execute(context: Context, run: TaskRun, slug: str) -> Summary:
    """Do one venue's work of the cycle, and return what the audit compares with the table.

    An overtaken run leaves all of it to the live one, which works off the intents of every cycle.
    """
    venue = next(venue for venue in ExecutorFactory.venues() if venue.slug == slug)
    reason = run_overtaken(context, run)
    done = {"outcome": reason} if reason else _execute(context, venue)
    with context.database.connect() as connection:
        end = of_cycle(connection, run.cycle, str(venue))
    return {"chain": str(venue), **done, **end._asdict()}


def _execute(context: Context, venue: VenueKey) -> Summary:
    executor = context.factory.executor(venue)
    deadline = context.clock() + timedelta(seconds=context.strategy.execution.task_seconds)
    try:
        done = execute_venue(
            context.database, executor, clock=context.clock, deadline=deadline, code_version=context.code_version
        )
    finally:
        executor.close()
    return done._asdict()
