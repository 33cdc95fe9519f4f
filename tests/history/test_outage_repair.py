"""What the stream missed is loaded as the venue's candles, and marked as repaired."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any

import pytest
from sqlalchemy import text

from strandline.bars import roll_up
from strandline.history import outage_repair, retry
from strandline.history.outage_repair import Missed, OutageRepair, find_missed
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.feed import FeedError
from strandline.venues.history import Candle
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.store.rows import insert
from tests.venues.hyperliquid.scripted_socket import until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPEN = "infinity"


def ago(minutes: float) -> datetime:
    return NOW - minutes * MINUTE


class FixedHistory:
    """A venue with a candle of each minute; `asked` are the times asked for."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, before_answer: Callable[[], None] = lambda: None) -> None:
        self.asked: list[tuple[str, datetime, datetime]] = []
        self._before_answer = before_answer

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        newest = timeframe.last_final(as_of)
        self.asked.append((token, since, newest))
        self._before_answer()
        length = (newest - since) // MINUTE + 1
        return [Candle(since + number * MINUTE, 1.0, 3.0, 0.5, 2.0, 10.0, 4) for number in range(length)]


@pytest.fixture
def missed(database: Database) -> Callable[..., None]:
    """Inserts outages of an instrument, and the number of ticks that were dropped in a minute."""
    with database.session() as session:
        insert(session, "instruments")
        insert(session, "instruments", token_contract="ETH")

    def add(instrument_id: int, since: datetime, ends_at: datetime | str | None, **more: Any) -> None:
        with database.session() as session:
            if ends_at is None:
                insert(session, "dropped_ticks", instrument_id=instrument_id, minute=since, dropped=3, **more)
            else:
                insert(session, "outages", instrument_id=instrument_id, starts_at=since, ends_at=ends_at, **more)

    return add


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def unrepaired(database: Database) -> int:
    return int(
        rows(
            database,
            "SELECT (SELECT count(*) FROM outages WHERE repaired_at IS NULL)"
            " + (SELECT count(*) FROM dropped_ticks WHERE repaired_at IS NULL)",
        )[0][0]
    )


def repairing(database: Database, history: FixedHistory, done: Callable[[], bool]) -> None:
    """Repair until it is done."""

    async def main() -> None:
        repair = OutageRepair(partial(connect_async, database.url, Role.INGEST), [history], lambda: NOW)
        run = asyncio.create_task(repair.run())
        try:
            await until(done)
        finally:
            run.cancel()
            await asyncio.wait([run])

    asyncio.run(main())


def with_connection(database: Database, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def test_what_is_to_be_repaired(database: Database, missed: Callable[..., None]) -> None:
    missed(1, ago(300), ago(100))
    missed(1, ago(110), None)
    missed(1, ago(90), ago(80))
    missed(1, ago(70), ago(60), repaired_at=NOW)
    missed(1, ago(50), ago(49))
    missed(1, ago(20), OPEN)
    missed(1, ago(40), None)
    missed(1, ago(30), None, repaired_at=NOW)
    missed(2, ago(1), NOW)
    missed(2, ago(3), None)
    found = with_connection(database, lambda connection: find_missed(connection, ago(100), NOW - timedelta(seconds=5)))
    assert found == [
        Missed(2, HYPERLIQUID_PERPS, "ETH", ago(3), ago(2)),
        Missed(1, HYPERLIQUID_PERPS, "BTC", ago(90), ago(39)),
    ]


def test_a_stream_that_begins_late_has_missed_what_came_after_the_candles_that_were_loaded(
    database: Database, missed: Callable[..., None]
) -> None:
    missed(1, ago(40), ago(39))
    missed(1, ago(20), ago(19))
    missed(2, ago(30), ago(29))
    with database.session() as session:
        for number, minutes in ((1, (60, 50, 39, 25)), (2, (6000,))):
            for minute in minutes:
                insert(session, "venue_candles", instrument_id=number, ts=ago(minute))
    found = with_connection(database, lambda connection: find_missed(connection, ago(4990), ago(0)))
    assert found == [
        Missed(1, HYPERLIQUID_PERPS, "BTC", ago(49), ago(19)),
        Missed(2, HYPERLIQUID_PERPS, "ETH", ago(30), ago(29)),
    ]
    repairing(database, history := FixedHistory(), lambda: not unrepaired(database))
    assert history.asked == [("BTC", ago(49), ago(20)), ("ETH", ago(30), ago(30))]


def test_it_is_repaired_once(database: Database, missed: Callable[..., None]) -> None:
    missed(1, ago(90), ago(88))
    missed(1, ago(80), None)
    history = FixedHistory()
    repairing(database, history, lambda: not unrepaired(database))
    assert history.asked == [("BTC", ago(90), ago(80))]
    assert rows(database, "SELECT count(*), max(ts) FROM venue_candles") == [(11, ago(80))]
    dirty = {minute for (minute,) in rows(database, "SELECT minute FROM dirty_minutes")}
    assert dirty == {ago(minutes) for minutes in range(80, 91)}
    repairing(database, again := FixedHistory(), lambda: True)
    assert again.asked == []


def test_minutes_whose_candles_are_known_become_dirty_too(database: Database, missed: Callable[..., None]) -> None:
    """Their bars do not say yet that they are repaired."""
    missed(1, ago(90), ago(88))
    repairing(database, FixedHistory(), lambda: not unrepaired(database))
    with database.session() as session:
        session.execute(text("TRUNCATE dirty_minutes; UPDATE outages SET repaired_at = NULL"))
    repairing(database, FixedHistory(), lambda: not unrepaired(database))
    assert rows(database, "SELECT minute FROM dirty_minutes ORDER BY minute") == [(ago(90),), (ago(89),)]


def test_an_outage_that_goes_on_meanwhile_is_not_repaired(database: Database, missed: Callable[..., None]) -> None:
    missed(1, ago(90), ago(88))

    def go_on() -> None:
        with database.session() as session:
            session.execute(text("UPDATE outages SET ends_at = 'infinity'"))

    history = FixedHistory(go_on)
    repairing(database, history, lambda: bool(rows(database, "SELECT FROM venue_candles")))
    assert unrepaired(database) == 1


def test_what_the_venue_no_longer_serves_is_loaded_in_part_and_stays_unrepaired(
    database: Database, missed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_repair, "_INTERVAL_SECONDS", 0.01)
    missed(1, ago(6000), ago(4000))
    missed(1, ago(3000), ago(2990))
    missed(2, ago(10), ago(9))
    history, polls = FixedHistory(), iter(range(20))
    repairing(database, history, lambda: unrepaired(database) == 1 and next(polls, None) is None)
    # The rest of the old one is asked for once more, as its end is another one, and then never again.
    assert history.asked == [
        ("ETH", ago(10), ago(10)),
        ("BTC", ago(4990), ago(2991)),
        ("BTC", ago(4990), ago(4001)),
    ]
    assert rows(database, "SELECT starts_at FROM outages WHERE repaired_at IS NULL") == [(ago(6000),)]


def test_an_error_of_the_venue_is_repeated(
    database: Database, missed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "pauses", lambda: repeat(0.01))
    missed(1, ago(90), ago(88))
    failures = iter([FeedError("busy"), FeedError("busy")])

    def fail() -> None:
        if error := next(failures, None):
            raise error

    repairing(database, FixedHistory(fail), lambda: not unrepaired(database))


def test_the_bar_is_the_venues_and_says_that_it_is_repaired(database: Database, missed: Callable[..., None]) -> None:
    with database.session() as session:
        session.execute(text("SELECT ensure_tick_partitions('2026-03-01', '2026-03-01')"))
        insert(session, "ticks", instrument_id=1, ts=ago(90), trade_id=1, price=2.5, size=1.0)
        insert(session, "dirty_minutes", instrument_id=1, minute=ago(90))
    missed(1, ago(90), ago(88))
    engine = database.engine(Role.APP)
    query = "SELECT close, source::text, outage, repaired FROM bars WHERE timeframe = '1m' ORDER BY ts"
    try:
        roll_up(engine, NOW)
        assert rows(database, query) == [(2.5, "s", True, False)]
        repairing(database, FixedHistory(), lambda: not unrepaired(database))
        roll_up(engine, NOW)
        assert rows(database, query) == [(2.0, "r", True, True)] * 2
    finally:
        engine.dispose()
