"""The bars of streamed instruments are compared with the venue's candles, each in its turn."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any

import pytest
from sqlalchemy import Engine, text

from strandline.bars import roll_up
from strandline.history import candle_comparison, retry
from strandline.history.candle_comparison import CandleComparison, Compared, Turn, compare, take_turn
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
LIKE_OURS = (100.0, 100.0, 100.0, 100.0, 1.0, 1)
TURN = Turn(1, "C1", NOW - 30 * MINUTE)


def ago(minutes: float) -> datetime:
    return NOW - minutes * MINUTE


class Venue:
    """A venue with these candles; `asked` are the times asked for, `silent` the tokens that it gives no answer for."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, candles: Iterable[Candle] = (), silent: Iterable[str] = ()) -> None:
        self.stored = list(candles)
        self.silent = set(silent)
        self.asked: list[tuple[str, datetime, datetime]] = []

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        assert spare
        assert timeframe is Timeframe.M1
        self.asked.append((token, since, as_of))
        if token in self.silent:
            raise FeedError("busy")
        return [candle for candle in self.stored if since <= candle.ts and candle.ts + MINUTE <= as_of]


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """Three instruments, C1 to C3, whose streams began thirty minutes ago, and a trade of C1 in each minute since."""
    with database.session() as session:
        for number in (1, 2, 3):
            insert(session, "instruments", token_contract=f"C{number}")
            begun = {"starts_at": ago(30), "ends_at": ago(29), "repaired_at": ago(28)}
            insert(session, "outages", instrument_id=number, **begun)
        session.execute(text("SELECT ensure_tick_partitions('2026-03-01', '2026-03-01')"))
        for minute in range(30):
            insert(session, "ticks", instrument_id=1, ts=ago(30 - minute), trade_id=minute, price=100.0, size=1.0)
        session.execute(text("INSERT INTO dirty_minutes SELECT instrument_id, ts FROM ticks"))
    engine = database.engine(Role.APP)
    roll_up(engine, NOW)
    yield engine
    engine.dispose()


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def run(database: Database, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def compared(database: Database, candles: Iterable[Candle], turn: Turn = TURN, end: datetime = NOW) -> Compared:
    found: Compared = run(database, lambda connection: compare(connection, turn, list(candles), end, NOW))
    return found


def turns(database: Database, count: int, now: datetime = NOW) -> list[Turn | None]:
    async def work(connection: Any) -> list[Turn | None]:
        return [await take_turn(connection, Venue(), now) for _ in range(count)]

    found: list[Turn | None] = run(database, work)
    return found


def candles_like_ours(first: int = 30, last: int = 1) -> list[Candle]:
    return [Candle(ago(minute), *LIKE_OURS) for minute in range(first, last - 1, -1)]


def dirty(database: Database) -> list[datetime]:
    return [minute for (minute,) in rows(database, "SELECT minute FROM dirty_minutes ORDER BY minute")]


@pytest.mark.usefixtures("engine")
def test_candles_like_our_bars_are_stored_and_mark_nothing(database: Database) -> None:
    assert compared(database, candles_like_ours()) == (30, 0)
    assert dirty(database) == []
    stored = rows(database, "SELECT count(*), min(ts), max(ts), min(trades), max(close) FROM venue_candles")
    assert stored == [(30, ago(30), ago(1), 1, 100.0)]
    comparison = "SELECT instrument_id, compared_at, compared_until, minutes, differing FROM candle_comparisons"
    assert rows(database, comparison) == [(1, NOW, NOW, 30, 0)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        *(({name: 100.0099}, False) for name in ("open", "high", "low", "close")),
        *(({name: 100.0101}, True) for name in ("open", "high", "low", "close")),
        ({"volume": 1.0009}, False),
        ({"volume": 1.0011}, True),
        ({"trades": 2}, True),
        ({"trades": 0}, False),
    ],
)
def test_a_minute_that_differs_by_more_than_the_tolerance_becomes_dirty(
    database: Database, changed: dict[str, Any], differs: bool
) -> None:
    candles = candles_like_ours()
    candles[10] = candles[10]._replace(**changed)
    assert compared(database, candles) == (30, int(differs))
    assert dirty(database) == [ago(20)] * differs


@pytest.mark.usefixtures("engine")
def test_a_minute_that_only_one_of_both_has_differs(database: Database) -> None:
    candles = candles_like_ours()
    del candles[7]
    candles.append(Candle(NOW, *LIKE_OURS))
    assert compared(database, candles, end=NOW + MINUTE) == (30, 2)
    assert dirty(database) == [ago(23), NOW]
    assert compared(database, candles_like_ours(20, 11), TURN._replace(since=ago(20)), ago(10)) == (10, 0)


def test_a_minute_that_is_not_rolled_up_yet_is_left_to_the_rollup(database: Database, engine: Engine) -> None:
    with database.session() as session:
        insert(session, "ticks", instrument_id=1, ts=ago(5), trade_id=99, price=100.0, size=1.0)
        insert(session, "dirty_minutes", instrument_id=1, minute=ago(5))
        insert(session, "dirty_minutes", instrument_id=2, minute=ago(6))
    candles = candles_like_ours()
    candles[24] = candles[24]._replace(close=99.0)
    candles[25] = candles[25]._replace(volume=2.0, trades=2)
    assert compared(database, candles) == (30, 1)
    assert dirty(database) == [ago(6), ago(6), ago(5)]
    roll_up(engine, NOW)
    assert rows(database, "SELECT ts, source::text FROM bars WHERE timeframe = '1m' AND ticks = 2") == [(ago(5), "s")]


def test_the_bar_becomes_the_candle_once_and_stays(database: Database, engine: Engine) -> None:
    """Also if the venue rounds its numbers in another way each time."""
    wrong = candles_like_ours()
    wrong[10] = wrong[10]._replace(volume=2.0)
    newest = "SELECT revision, source::text, volume FROM bars WHERE timeframe = '1m' AND ts = '2026-03-01 11:40Z'"
    for number in range(5):
        wrong[10] = wrong[10]._replace(volume=2.0 + number * 1e-6)
        assert compared(database, wrong).differing == (1 if number == 0 else 0)
        with database.session() as session:
            insert(session, "dirty_minutes", instrument_id=1, minute=ago(20))
        roll_up(engine, NOW)
        assert rows(database, newest) == [(1, "r", 2.0)]
    wrong[10] = wrong[10]._replace(volume=2.1)
    assert compared(database, wrong).differing == 1
    roll_up(engine, NOW)
    assert rows(database, newest) == [(2, "r", 2.1)]


def test_a_candle_of_what_was_missed_repairs_it(database: Database, engine: Engine) -> None:
    with database.session() as session:
        insert(session, "outages", instrument_id=1, starts_at=ago(15), ends_at=ago(14))
        insert(session, "dirty_minutes", instrument_id=1, minute=ago(15))
    repaired = "SELECT ts, repaired FROM bars WHERE timeframe = '1m' AND outage AND ts > '2026-03-01 11:30Z'"
    roll_up(engine, NOW)
    assert rows(database, repaired) == [(ago(15), False)]
    assert compared(database, candles_like_ours()) == (30, 1)
    roll_up(engine, NOW)
    assert rows(database, repaired) == [(ago(15), True)]
    assert compared(database, candles_like_ours()) == (30, 0)


@pytest.mark.usefixtures("engine")
def test_each_instrument_has_its_turn_and_none_too_often(database: Database) -> None:
    first, second, third, none = turns(database, 4)
    assert [first, second, third] == [Turn(number, f"C{number}", ago(30)) for number in (1, 2, 3)]
    assert none is None
    assert turns(database, 1, NOW + 5 * MINUTE - timedelta(seconds=1)) == [None]
    compared(database, [], Turn(2, "C2", ago(30)), ago(4))
    later = turns(database, 4, NOW + 5 * MINUTE)
    assert later == [Turn(1, "C1", ago(30)), Turn(2, "C2", ago(4)), Turn(3, "C3", ago(30)), None]


@pytest.mark.usefixtures("engine")
def test_who_has_waited_longest_comes_first(database: Database) -> None:
    with database.session() as session:
        insert(session, "candle_comparisons", instrument_id=1, asked_at=ago(6))
        insert(session, "candle_comparisons", instrument_id=2, asked_at=ago(8))
    found = turns(database, 3)
    assert [turn and turn.instrument_id for turn in found] == [3, 2, 1]


@pytest.mark.usefixtures("engine")
def test_only_what_is_streamed_is_compared_and_only_what_the_venue_serves(database: Database) -> None:
    with database.session() as session:
        insert(session, "instruments", token_contract="never streamed")
        insert(
            session, "instruments", token_chain="solana", book_id="onchain_crypto", token_contract="of another venue"
        )
        insert(session, "outages", instrument_id=5, starts_at=ago(9), ends_at=ago(8))
        insert(session, "outages", instrument_id=1, starts_at=ago(3), ends_at="infinity")
        session.execute(text("UPDATE outages SET starts_at = starts_at - interval '9 days' WHERE instrument_id = 3"))
    assert turns(database, 3) == [Turn(2, "C2", ago(30)), Turn(3, "C3", ago(4990)), None]


@pytest.mark.usefixtures("engine")
def test_the_rotation_goes_on_when_a_venue_gives_no_answer_and_when_it_is_started_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "pauses", lambda: repeat(0.01))
    monkeypatch.setattr(candle_comparison, "_IDLE_SECONDS", 0.01)
    venue = Venue(candles_like_ours(), silent=["C2"])
    now = NOW + timedelta(seconds=30)

    def rotating(done: Callable[[], bool]) -> None:
        async def main() -> None:
            rotation = CandleComparison(partial(connect_async, database.url, Role.INGEST), [venue], lambda: now)
            task = asyncio.create_task(rotation.run())
            try:
                await until(done)
            finally:
                task.cancel()
                await asyncio.wait([task])

        asyncio.run(main())

    done = "SELECT instrument_id, compared_until FROM candle_comparisons WHERE compared_at IS NOT NULL ORDER BY 1"
    rotating(lambda: len(rows(database, done)) == 2)
    asked = ago(1) + timedelta(seconds=5)
    assert venue.asked == [(f"C{number}", ago(30), asked) for number in (1, 2, 3)]
    assert rows(database, done) == [(1, ago(1)), (3, ago(1))]
    now += 5 * MINUTE
    rotating(lambda: len(venue.asked) == 6)
    assert [since for _, since, _ in venue.asked[3:]] == [ago(1), ago(30), ago(1)]
