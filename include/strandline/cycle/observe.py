"""The cycle's first look at the venues: prices, and cash that moved without us. By public address, without keys."""

from strandline.cycle.desk import Desk
from strandline.cycle.marks import keep_marks, tokens_to_mark
from strandline.cycle.runs import Summary, TaskRun
from strandline.execution import sync_account
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey


def observe(desk: Desk, run: TaskRun) -> Summary:
    """Ask every venue; one that does not answer does not keep the others from being asked, but fails the step."""
    seen: Summary = {}
    silent: list[str] = []
    for venue in desk.venues:
        try:
            seen[str(venue)] = _observe_one(desk, run, venue)
        except Exception as error:  # noqa: BLE001  whatever a venue's client raises, the others are still asked
            silent.append(f"{venue} ({type(error).__name__}: {error})")
    if silent:
        raise StrandlineError(
            f"no answer from {', '.join(silent)}",
            "its positions are valued at older prices until it answers; see the venue's status, or clear this task",
        )
    return seen


def _observe_one(desk: Desk, run: TaskRun, venue: VenueKey) -> int:
    observer = desk.factory.observer(venue)
    try:
        sync_account(desk.database, observer, venue, desk.factory.address(venue))
        with desk.database.connect() as connection:
            tokens = tokens_to_mark(connection, venue)
        marks = observer.marks(tokens) if tokens else {}
        with desk.database.begin() as connection:
            return keep_marks(connection, run.cycle, venue, marks.values())
    finally:
        observer.close()
