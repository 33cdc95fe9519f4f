"""Whether a cycle may still trade."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.runs import TaskRun


class Overtaken(StrEnum):
    """Why a cycle may no longer trade. Once true, it stays true."""

    BACKFILL = "backfill"
    SUPERSEDED = "superseded"
    STALE = "stale_cycle"


def overtaken(connection: Connection, run: TaskRun, now: datetime, max_age: timedelta) -> Overtaken | None:
    """Return why a cycle may no longer trade; None if it is the newest and fresh, and its run is no backfill."""
    if run.run_type == "backfill":
        return Overtaken.BACKFILL
    newer = connection.scalar(
        text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t > :cycle AND outcome = 'planned')"), {"cycle": run.cycle}
    )
    if newer:
        return Overtaken.SUPERSEDED
    return Overtaken.STALE if now - run.cycle > max_age else None


def run_overtaken(context: Context, run: TaskRun) -> Overtaken | None:
    """Why this run may no longer trade, by the context's clock and strategy, or None."""
    max_age = timedelta(seconds=context.strategy.freshness.max_cycle_age_seconds)
    with context.database.connect() as connection:
        return overtaken(connection, run, context.clock(), max_age)
