"""Ranges of time."""

from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from strandline.model.errors import StrandlineError

Instant: TypeAlias = datetime | str


class Range(NamedTuple):
    """From `start` until before `end`."""

    start: datetime
    end: datetime


def range_of(start: Instant, end: Instant) -> Range:
    """The range between two instants; raises StrandlineError if they are in doubt."""
    found = Range(_instant(start), _instant(end))
    if found.end < found.start:
        raise StrandlineError(f"the range ends at {found.end}, before it starts at {found.start}", "swap them")
    return found


def _instant(given: Instant) -> datetime:
    if isinstance(given, str):
        try:
            read = datetime.fromisoformat(given)
        except ValueError as error:
            raise StrandlineError(f"{given!r} is no instant", "write it as 2026-11-21 or 2026-11-21T08:30Z") from error
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    if given.tzinfo is None:
        raise StrandlineError(f"{given} is in no time zone", "give the datetime one: tzinfo=UTC")
    return given.astimezone(UTC)
