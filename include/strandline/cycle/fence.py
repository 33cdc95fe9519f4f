"""Whether a cycle may be planned."""

from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection, text

from strandline.cycle.overtaken import Overtaken, overtaken
from strandline.cycle.runs import TaskRun

ALREADY_PLANNED: Final = "already_planned"


def fence(
    connection: Connection, run: TaskRun, now: datetime, max_age: timedelta
) -> Overtaken | Literal["already_planned"] | None:
    """Return why this cycle may not be planned, or None. A stored outcome stays, unless a person voided it."""
    decided = connection.scalar(
        text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :cycle AND outcome <> 'voided')"), {"cycle": run.cycle}
    )
    return ALREADY_PLANNED if decided else overtaken(connection, run, now, max_age)
