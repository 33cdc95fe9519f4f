"""Which venues have something to do, and doing it."""

from datetime import timedelta

from strandline.cycle.context import Context
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import execute_venue, skip_unknown_venues, venues_with_work
from strandline.ledger.strands import of_cycle
from strandline.model.venue import VenueKey
from strandline.venues.factory import ExecutorFactory


def choose(context: Context, run: TaskRun) -> Summary:
    """Venues with open intents, orders in doubt or something held; intents of venues that nobody knows are skipped."""
    with context.database.begin() as connection:
        skipped = skip_unknown_venues(
            connection, known=ExecutorFactory.venues(), now=context.clock(), code_version=context.code_version
        )
        busy = venues_with_work(connection)
    wanted = {VenueKey.parse(name) for name in run.venues} or set(context.venues)
    chosen = [] if run.plan_only else sorted(busy & wanted & set(context.venues))
    return {"venues": [venue.slug for venue in chosen], "no_executor": skipped}


def execute(context: Context, run: TaskRun, slug: str) -> Summary:
    """Everything that one venue's task does; what it returns is what the audit holds against the table."""
    venue = next(venue for venue in ExecutorFactory.venues() if venue.slug == slug)
    executor = context.factory.executor(venue)
    deadline = context.clock() + timedelta(seconds=context.strategy.execution.task_seconds)
    try:
        done = execute_venue(
            context.database, executor, clock=context.clock, deadline=deadline, code_version=context.code_version
        )
    finally:
        executor.close()
    with context.database.connect() as connection:
        end = of_cycle(connection, run.cycle, str(venue))
    return {"chain": str(venue), **done._asdict(), **end._asdict()}
