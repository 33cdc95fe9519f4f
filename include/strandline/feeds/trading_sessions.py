"""Keeps the sessions of the calendars that instruments have.

The calendars come from exchange_calendars, which takes seconds to load: it is imported only where an instrument has
one. The rollup reads the table.
"""

import asyncio
import warnings
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from strandline.model.bar import GapType
from strandline.model.errors import StrandlineError
from strandline.store.connect_async import Connection

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar  # type: ignore[import-untyped]


class TradingSession(NamedTuple):
    """A row of `trading_sessions`, without its calendar."""

    session: date
    opens_at: datetime
    closes_at: datetime
    gap_before: GapType | None


class CalendarError(StrandlineError):
    """A calendar that there is not, or that cannot be made."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"the calendar {name} of an instrument cannot be used ({problem})",
            "let the venue's listings name one of exchange_calendars.get_calendar_names()",
        )


async def add_new_calendars(connection: Connection, names: Collection[str]) -> None:
    """Store the sessions of those of these calendars that have none yet; raises `CalendarError`."""
    known = await connection.fetch(
        """
        SELECT name FROM unnest($1::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM trading_sessions s WHERE s.calendar = name)
        """,
        list(names),
    )
    for row in known:
        await _store(connection, row["name"])


async def refresh_calendars(connection: Connection) -> None:
    """Bring the sessions of all calendars up to date: a day more each day, and what the venues have announced since.

    Raises `CalendarError` after all others have been stored.
    """
    rows = await connection.fetch("SELECT DISTINCT calendar FROM instruments WHERE calendar IS NOT NULL ORDER BY 1")
    failed = None
    for row in rows:
        try:
            await _store(connection, row["calendar"])
        except CalendarError as error:
            failed = error
    if failed:
        raise failed


def sessions_of(name: str) -> list[TradingSession]:
    """The sessions of a calendar from twenty years ago to a year ahead; raises `CalendarError`.

    The very first one is left out: what was before it is not known.
    """
    with warnings.catch_warnings():
        # Its own, about what pandas is going to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        from exchange_calendars import errors, get_calendar

        try:
            calendar = get_calendar(name)
        except (errors.InvalidCalendarName, ValueError) as error:
            raise CalendarError(name, " ".join(str(error).split())[:200]) from error
        days = [instant.date() for instant in calendar.sessions]
        opens, closes = (
            [instant.to_pydatetime() for instant in column] for column in (calendar.opens, calendar.closes)
        )
    gaps = _gaps(calendar, days, opens, closes)
    return [TradingSession(*row) for row in zip(days[1:], opens[1:], closes[1:], gaps, strict=True)]


def _gaps(
    calendar: "ExchangeCalendar", days: Sequence[date], opens: Sequence[datetime], closes: Sequence[datetime]
) -> Iterator[GapType | None]:
    """What is between each session and the next."""
    for (before, after), closed, opened in zip(pairwise(days), closes, opens[1:], strict=False):
        between = [before + timedelta(days) for days in range(1, (after - before).days)]
        if closed >= opened:
            yield None
        elif any(_in_the_week(calendar, day) for day in between):
            yield GapType.HOLIDAY
        else:
            yield GapType.WEEKEND if between else GapType.OVERNIGHT


def _in_the_week(calendar: "ExchangeCalendar", day: date) -> bool:
    """Whether the venue usually trades on such a weekday; some have changed their week."""
    week: str = calendar.weekmask
    for first, last, other in getattr(calendar, "special_weekmasks", ()):
        if (first is None or first.date() <= day) and (last is None or day <= last.date()):
            week = other
    return week[day.weekday()] == "1"


async def _store(connection: Connection, name: str) -> None:
    """Write what differs from what is stored, in one order: several sidecars may do it at once."""
    sessions = await asyncio.to_thread(sessions_of, name)
    columns = [list(column) for column in zip(*sessions, strict=True)]
    async with connection.transaction():
        await connection.execute(
            """
            DELETE FROM trading_sessions
            WHERE calendar = $1 AND session BETWEEN $2 AND $3
              AND NOT EXISTS (SELECT FROM unnest($4::date[]) AS kept WHERE kept = session)
            """,
            name,
            sessions[0].session,
            sessions[-1].session,
            columns[0],
        )
        await connection.execute(
            """
            INSERT INTO trading_sessions AS old (calendar, session, opens_at, closes_at, gap_before)
            SELECT $1, * FROM unnest($2::date[], $3::timestamptz[], $4::timestamptz[], $5::gap_type[]) ORDER BY 1, 2
            ON CONFLICT (calendar, session) DO UPDATE SET
              opens_at = excluded.opens_at, closes_at = excluded.closes_at, gap_before = excluded.gap_before
            WHERE (old.opens_at, old.closes_at, old.gap_before)
              IS DISTINCT FROM (excluded.opens_at, excluded.closes_at, excluded.gap_before)
            """,
            name,
            *columns,
        )
