"""The cycle's first look at the venues: prices, and cash that moved without us. By public address, without keys."""

from strandline.cycle.context import Context
from strandline.cycle.marks import keep_marks, tokens_to_mark
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import sync_account
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey


def observe(context: Context, run: TaskRun) -> Summary:
    """Ask every venue; one that does not answer does not keep the others from being asked, but fails the step."""
    seen: Summary = {}
    silent: list[str] = []
    for venue in context.venues:
        try:
            seen[str(venue)] = _observe_one(context, run, venue)
        except Exception as error:  # noqa: BLE001  whatever a venue's client raises, the others are still asked
            silent.append(f"{venue} ({type(error).__name__}: {error})")
    if silent:
        raise StrandlineError(
            f"no answer from {', '.join(silent)}",
            "its positions are valued at older prices until it answers; see the venue's status, or clear this task",
        )
    return seen


def _observe_one(context: Context, run: TaskRun, venue: VenueKey) -> int:
    observer = context.factory.observer(venue)
    try:
        sync_account(context.database, observer, venue, context.factory.address(venue))
        with context.database.connect() as connection:
            tokens = tokens_to_mark(connection, venue)
        marks = observer.marks(tokens) if tokens else {}
        with context.database.begin() as connection:
            return keep_marks(connection, run.cycle, venue, marks.values())
    finally:
        observer.close()
