"""What a person or Airflow asks to be loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.venues.registry import venues

_DAY: Final = timedelta(days=1)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class BackfillRequest:
    """The request. Without symbols it is for what is streamed; `again` loads what was loaded before, too.

    `timeframe` is the length of the candles that the venue is asked for.
    """

    venue: VenueKey
    symbols: Sequence[str]
    starts_at: datetime
    ends_at: datetime
    source: HistorySource
    path: Path | None = None
    again: bool = False
    timeframe: Timeframe = Timeframe.M1


def make_request(
    *,
    venue: str,
    symbols: Sequence[str],
    start: str | datetime | None,
    end: str | datetime | None,
    source: str,
    path: str | None,
    again: bool,
    timeframe: str,
) -> BackfillRequest:
    """Read the request from text; raises `StrandlineError`. A file may be loaded without a time: all of it."""
    wanted = HistorySource(source)
    if wanted is not HistorySource.FILE and not (start and end):
        raise StrandlineError(f"the source {wanted} needs a time", "say from which day and to which")
    if wanted is not HistorySource.REST and timeframe != Timeframe.M1:
        raise StrandlineError(f"the source {wanted} has no bars of {timeframe}", "leave the timeframe out")
    starts_at = _instant(start, timedelta(0)) if start else _EARLIEST
    ends_at = _instant(end, _DAY) if end else _LATEST
    if starts_at >= ends_at:
        raise StrandlineError(f"from {start} to {end} there is nothing", "let the end come after the beginning")
    return BackfillRequest(
        venue=_venue(venue),
        symbols=[name.strip() for name in symbols if name.strip()],
        starts_at=starts_at,
        ends_at=ends_at,
        source=wanted,
        path=Path(path).expanduser() if path else None,
        again=again,
        timeframe=Timeframe(timeframe),
    )


def _venue(text: str) -> VenueKey:
    for venue in venues():
        if text.strip().lower() in {str(venue.key), venue.key.slug, venue.name}:
            return venue.key
    known = ", ".join(str(venue.key) for venue in venues())
    raise StrandlineError(f"there is no venue {text}", f"the venues are {known}")


def _instant(text: str | datetime, after_day: timedelta) -> datetime:
    """Read an instant as it is, and a day as its start, or with `after_day` as its end."""
    if isinstance(text, datetime):
        return text.astimezone(UTC)
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + after_day
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise StrandlineError(
            f"{text} is neither a day nor an instant", "write it as 2026-11-18 or 2026-11-18T14:30Z"
        ) from None
    if instant.tzinfo is None:
        raise StrandlineError(f"{text} has no time zone", f"write {text}Z if UTC is meant, else its offset")
    return instant.astimezone(UTC)
