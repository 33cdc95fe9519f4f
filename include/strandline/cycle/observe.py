"""Reads prices and cash events (deposits, funding) of every venue: by public address, without keys."""

from strandline.cycle.context import Context
from strandline.cycle.marks import store_marks, tokens_to_mark
from strandline.cycle.overtaken import run_overtaken
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import sync_account
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey


def observe(context: Context, run: TaskRun) -> Summary:
    """Store every venue's marks and cash events; a venue that does not answer fails the step when all were asked.

    An overtaken run stores nothing: today's prices are not those of its cycle.
    """
    if reason := run_overtaken(context, run):
        return {"outcome": reason}
    marks: Summary = {}
    unreachable: list[str] = []
    for venue in context.venues:
        try:
            marks[str(venue)] = _observe_one(context, run, venue)
        except Exception as error:  # noqa: BLE001  whatever a venue's client raises, the others are still asked
            unreachable.append(f"{venue} ({type(error).__name__}: {error})")
    if unreachable:
        raise StrandlineError(
            f"no answer from {', '.join(unreachable)}",
            "its positions are valued at older prices until it answers; see the venue's status, or clear this task",
        )
    return marks


def _observe_one(context: Context, run: TaskRun, venue: VenueKey) -> int:
    observer = context.factory.observer(venue)
    try:
        address, margined = context.factory.address(venue), context.factory.margined(venue)
        sync_account(context.database, observer, venue, address, margined=margined)
        with context.database.connect() as connection:
            tokens = tokens_to_mark(connection, venue)
        marks = observer.marks(tokens) if tokens else {}
        with context.database.begin() as connection:
            return store_marks(connection, run.cycle, venue, marks)
    finally:
        observer.close()
