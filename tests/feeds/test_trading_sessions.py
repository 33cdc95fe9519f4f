"""The sessions of calendars, as the sidecar stores them."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from exchange_calendars import get_calendar  # type: ignore[import-untyped]
from sqlalchemy import text

from strandline.feeds.instruments import upsert_instruments
from strandline.feeds.session import Session
from strandline.feeds.subscriptions import SubscriptionManager
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.trading_sessions import (
    CalendarError,
    TradingSession,
    _in_the_week,
    add_new_calendars,
    refresh_calendars,
    sessions_of,
)
from strandline.model.bar import GapType
from strandline.model.exact import Money, Quantity
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection, connect_async
from strandline.store.roles import Role
from strandline.venues.feed import Listing
from tests.conftest import Database
from tests.store.rows import insert

NEW_YORK = ZoneInfo("America/New_York")
VENUE = VenueKey(token_chain="exchange", book_id="shares")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that of exchange_calendars, about pandas


def by_day(name: str) -> dict[date, TradingSession]:
    return {one.session: one for one in sessions_of(name)}


def share(name: str, calendar: str | None) -> Listing:
    return Listing(name, name, Quantity(1), Money(1), timedelta(minutes=2), calendar=calendar)


def run(database: Database, *works: Callable[[Connection], Awaitable[Any]]) -> None:
    """Do it as the sidecar, one after the other."""

    async def all_of_it() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            for work in works:
                await work(connection)
        finally:
            await connection.close()

    asyncio.run(all_of_it())


def stored(database: Database) -> list[tuple[Any, ...]]:
    with database.session() as connection:
        rows = connection.execute(text("SELECT * FROM trading_sessions ORDER BY 1, 2")).all()
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("day", "gap"),
    [
        ("2026-07-01", GapType.OVERNIGHT),
        ("2026-07-06", GapType.HOLIDAY),  # a long weekend: the 4th is a Saturday, the 3rd stands for it
        ("2026-11-25", GapType.OVERNIGHT),
        ("2026-11-27", GapType.HOLIDAY),  # Thanksgiving is a Thursday
        ("2026-11-30", GapType.WEEKEND),
        ("2026-03-09", GapType.WEEKEND),  # clocks have changed
        ("2025-01-10", GapType.HOLIDAY),  # a day of mourning, which no rule knows
    ],
)
def test_what_lies_before_a_session_of_new_york(day: str, gap: GapType) -> None:
    assert by_day("XNYS")[date.fromisoformat(day)].gap_before == gap


@pytest.mark.parametrize(
    ("day", "closes"),
    [("2026-03-06", 16), ("2026-03-09", 16), ("2026-11-25", 16), ("2026-11-27", 13), ("2026-12-24", 13)],
)
def test_daylight_saving_and_early_closes(day: str, closes: int) -> None:
    found = by_day("XNYS")[date.fromisoformat(day)]
    opens, closed = (datetime.combine(found.session, time(*at), NEW_YORK) for at in ((9, 30), (closes, 0)))
    assert (found.opens_at, found.closes_at) == (opens, closed)


def test_a_break_at_noon_is_a_part_of_the_session() -> None:
    found = by_day("XHKG")[date(2026, 6, 2)]
    assert found.closes_at - found.opens_at == timedelta(hours=6, minutes=30)


def test_what_never_closes_has_no_gaps() -> None:
    assert {one.gap_before for one in sessions_of("24/7")} == {None}
    assert {one.gap_before for one in sessions_of("24/5")} == {None, GapType.WEEKEND}


def test_a_venue_that_changes_its_week() -> None:
    """Bombay traded on a Saturday when the budget was presented."""
    calendar = get_calendar("XBOM")
    assert [_in_the_week(calendar, date(2025, 2, day)) for day in (1, 2, 3, 8)] == [True, False, True, False]


@pytest.mark.slow
def test_who_trades_around_the_clock_never_loads_calendars(database: Database) -> None:
    """They take longer to load than a rollup takes."""
    code = """
import asyncio, sys
from sqlalchemy import make_url
import strandline.cycle.steps, strandline.cli.ingest
from strandline.feeds.trading_sessions import refresh_calendars
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role

async def refresh():
    connection = await connect_async(make_url(sys.argv[1]), Role.INGEST)
    await refresh_calendars(connection)
    await connection.close()

asyncio.run(refresh())
print("exchange_calendars" in sys.modules)
"""
    url = database.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["NOWHERE", "XTAE "])
def test_a_calendar_that_there_is_not(database: Database, name: str) -> None:
    async def register(connection: Connection) -> None:
        await upsert_instruments(connection, VENUE, [share("A", None), share("B", name)])

    with pytest.raises(CalendarError, match=rf"the calendar {name} of an instrument cannot be used"):
        run(database, register)
    with database.session() as connection:
        assert connection.scalar(text("SELECT count(*) FROM instruments")) == 0


def test_instruments_bring_the_sessions_of_their_calendar(database: Database) -> None:
    async def register(connection: Connection) -> None:
        await upsert_instruments(connection, VENUE, [share("A", "XNYS"), share("B", "XNYS"), share("C", None)])

    run(database, register, register)
    assert stored(database) == [("XNYS", *one) for one in sessions_of("XNYS")]
    with database.session() as connection:
        rows = connection.execute(text("SELECT symbol, calendar FROM instruments")).all()
    assert {tuple(row) for row in rows} == {("A", "XNYS"), ("B", "XNYS"), ("C", None)}


def test_a_calendar_of_an_instrument_may_change(database: Database) -> None:
    async def register(connection: Connection) -> None:
        await upsert_instruments(connection, VENUE, [share("A", None)])

    async def change(connection: Connection) -> None:
        await upsert_instruments(connection, VENUE, [share("A", "XNYS")])

    run(database, register, change)
    with database.session() as connection:
        assert connection.scalar(text("SELECT calendar FROM instruments")) == "XNYS"


def test_what_venues_announce_later_is_taken_over(database: Database) -> None:
    """A session that will not be, one that nobody knew, and one that closes early; what is older is kept."""

    async def register(connection: Connection) -> None:
        await upsert_instruments(connection, VENUE, [share("A", "XNYS")])

    run(database, register)
    as_it_is = stored(database)
    with database.session() as connection:
        connection.execute(
            text("""
            DELETE FROM trading_sessions WHERE session = '2026-03-09';
            INSERT INTO trading_sessions VALUES
              ('XNYS', '2026-07-03', '2026-07-03 13:30Z', '2026-07-03 20:00Z', 'overnight'),
              ('XNYS', '1990-01-02', '1990-01-02 14:30Z', '1990-01-02 21:00Z', 'holiday');
            UPDATE trading_sessions SET closes_at = '2026-11-27 21:00Z' WHERE session = '2026-11-27'
            """)
        )
    run(database, lambda connection: add_new_calendars(connection, ["XNYS"]))
    assert stored(database) != as_it_is
    run(database, refresh_calendars)
    old = ("XNYS", date(1990, 1, 2), datetime(1990, 1, 2, 14, 30, tzinfo=UTC), datetime(1990, 1, 2, 21, tzinfo=UTC))
    assert stored(database) == [(*old, "holiday"), *as_it_is]


def test_one_calendar_that_is_gone_does_not_keep_others_from_being_refreshed(database: Database) -> None:
    with database.session() as connection:
        connection.execute(
            text("""
            INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional, calendar)
            VALUES ('x', 'y', 'A', 'A', 1, 1, 'GONE'), ('x', 'y', 'B', 'B', 1, 1, 'XNYS')
            """)
        )
    with pytest.raises(CalendarError, match="GONE"):
        run(database, refresh_calendars)
    assert {row[0] for row in stored(database)} == {"XNYS"}


class Lister:
    """A feed that lists one share; nothing is streamed."""

    def __init__(self, venue: VenueKey, calendar: str) -> None:
        self.venue = venue
        self._calendar = calendar
        self.subscribed: dict[str, int] = {}

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        return [share("A", self._calendar)]

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        self.subscribed = dict(tokens)


def test_the_sidecar_keeps_calendars_and_goes_on_without_those_that_are_gone(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither an instrument of old nor a venue that names a calendar that there is not keeps it from the others."""
    elsewhere = VenueKey(token_chain="elsewhere", book_id="shares")
    feeds = [Lister(elsewhere, "NOWHERE"), Lister(VENUE, "XLON")]
    with database.session() as connection:
        connection.execute(
            text("""
            INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional, calendar)
            VALUES ('x', 'y', 'A', 'A', 1, 1, 'GONE'), ('x', 'y', 'B', 'B', 1, 1, 'XNYS')
            """)
        )
        for venue in (elsewhere, VENUE):
            insert(connection, "positions", **positions_key(venue))

    async def run_until_subscribed() -> None:
        session = Session(lambda: connect_async(database.url, Role.INGEST))
        clock = lambda: datetime.now(UTC)  # noqa: E731
        manager = SubscriptionManager(session, cast("Any", feeds), TickBuffer(clock), clock, lambda *_: None)
        running = asyncio.create_task(manager.run())
        while not feeds[1].subscribed and not running.done():
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run_until_subscribed())
    assert set(feeds[1].subscribed) == {"A"}
    assert {row[0] for row in stored(database)} == {"XNYS", "XLON"}
    assert [name for name in ("GONE", "NOWHERE") if f"the calendar {name} of an instrument" in caplog.text] == [
        "GONE",
        "NOWHERE",
    ]


def positions_key(venue: VenueKey) -> dict[str, object]:
    return {
        "position_id": uuid5(UUID(int=0), str(venue)),
        "token_chain": venue.token_chain,
        "book_id": venue.book_id,
        "token_contract": "A",
    }
