"""History from before the sidecar started: the venue's candles and recorded prices."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from math import inf, nan
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from strandline.history import retry
from strandline.history.candles import SeriesKey, find_short_series, load_candles
from strandline.history.initial_backfill import InitialBackfill
from strandline.history.prices import load_prices
from strandline.history.units import Loaded
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.history import Candle
from strandline.venues.hyperliquid.history import HyperliquidHistory
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.world import World
from tests.conftest import Database
from tests.store.rows import insert
from tests.venues.hyperliquid.scripted_socket import until

T0 = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC_MINUTES = SeriesKey(1, Timeframe.M1)


class FixedHistory:
    """A venue's history with the given candles."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, *candles: Candle) -> None:
        self.stored_candles = list(candles)

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        return [candle for candle in self.stored_candles if candle.ts >= since]


def candle(minute: int, close: float = 2.0) -> Candle:
    return Candle(T0 + minute * MINUTE, 1.0, 3.0, 0.5, close, 10.0, 4)


def with_btc(database: Database, work: Callable[[Any], Awaitable[None]]) -> None:
    """Run work with a connection to a database in which BTC has the id 1."""
    with database.session() as session:
        insert(session, "instruments")

    async def main() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            await work(connection)
        finally:
            await connection.close()

    asyncio.run(main())


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def test_candles_are_stored_and_changed_minutes_become_dirty(database: Database) -> None:
    async def work(connection: Any) -> None:
        history = FixedHistory(candle(0), candle(1))
        assert await load_candles(connection, history, "BTC", BTC_MINUTES, T0, T0) == 2
        assert await load_candles(connection, history, "BTC", BTC_MINUTES, T0, T0) == 2
        history.stored_candles = [candle(1, close=2.5), candle(2)]
        assert await load_candles(connection, history, "BTC", BTC_MINUTES, T0, T0) == 2
        assert await load_candles(connection, FixedHistory(), "BTC", BTC_MINUTES, T0, T0) == 0

    with_btc(database, work)
    found = rows(database, "SELECT ts, close, timeframe::text, trades FROM venue_candles ORDER BY ts")
    assert found == [(T0, 2.0, "1m", 4), (T0 + MINUTE, 2.5, "1m", 4), (T0 + 2 * MINUTE, 2.0, "1m", 4)]
    dirty_minutes = rows(database, "SELECT instrument_id, minute FROM dirty_minutes ORDER BY minute")
    assert dirty_minutes == [(1, T0), (1, T0 + MINUTE), (1, T0 + MINUTE), (1, T0 + 2 * MINUTE)]


def test_candles_of_an_hour_mark_its_last_minute(database: Database) -> None:
    async def work(connection: Any) -> None:
        assert await load_candles(connection, FixedHistory(candle(0)), "BTC", SeriesKey(1, Timeframe.H1), T0, T0) == 1

    with_btc(database, work)
    assert rows(database, "SELECT timeframe::text, ts FROM venue_candles") == [("1h", T0)]
    assert rows(database, "SELECT minute FROM dirty_minutes") == [(T0 + 59 * MINUTE,)]


def test_series_with_candles_or_enough_bars_are_not_short(database: Database) -> None:
    btc, eth, sol = (SeriesKey(number, Timeframe.M1) for number in (1, 2, 3))

    async def work(connection: Any) -> None:
        with database.session() as session:
            insert(session, "instruments", token_contract="ETH")
            insert(session, "instruments", token_contract="SOL")
        assert await find_short_series(connection, [1, 2, 3]) == [btc, eth, sol]
        await load_candles(connection, FixedHistory(candle(0)), "BTC", btc, T0, T0)
        _bars(database, 2, 665)
        assert await find_short_series(connection, [1, 2, 3]) == [eth, sol]
        _bars(database, 3, 666)
        assert await find_short_series(connection, [1, 2, 3]) == [eth]
        assert await find_short_series(connection, [3]) == []
        assert await find_short_series(connection, []) == []
        hours_and_days = [SeriesKey(3, Timeframe.H1), SeriesKey(3, Timeframe.D1)]
        assert await find_short_series(connection, [3], regime=[3]) == hours_and_days
        await load_candles(connection, FixedHistory(candle(0)), "SOL", hours_and_days[0], T0, T0)
        assert await find_short_series(connection, [3], regime=[3]) == hours_and_days[1:]

    with_btc(database, work)


def test_each_row_needs_bars_of_its_own_length(database: Database) -> None:
    async def work(connection: Any) -> None:
        with database.session() as session:
            insert(session, "positions", timeframe="1h", desired_status="paused")
            insert(session, "positions", position_id=uuid4(), timeframe="1d", desired_status="archived")
        _bars(database, 1, 666)
        assert await find_short_series(connection, [1]) == [SeriesKey(1, Timeframe.H1)]

    with_btc(database, work)


def _bars(database: Database, instrument: int, count: int) -> None:
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO bars (instrument_id, timeframe, ts, known_seq, open, high, low, close, ticks, source)"
                " SELECT :instrument, '1m', :t0 + n * interval '1 minute', 1, 1, 1, 1, 1, 1, 's'"
                " FROM generate_series(1, :count) AS n"
            ),
            {"instrument": instrument, "count": count, "t0": T0},
        )


def test_new_instruments_get_their_history(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a request that fails is repeated."""
    monkeypatch.setattr(retry, "pauses", lambda: repeat(0.01))
    start = 1_790_000_040_000
    rules = [Rule(route="hyperliquid/info/candleSnapshot", kind=FaultKind.STATUS, value=502)]
    with database.session() as session:
        insert(session, "instruments")
        insert(session, "instruments", token_contract="XRP")
        insert(session, "positions", token_contract="XRP", timeframe="1h")

    async def main() -> None:
        clock = SteppedClock(start - 700)
        world = World(clock, seed=3, rules=rules)
        at = await world.start()
        history = HyperliquidHistory(at.hyperliquid)
        backfill = InitialBackfill(
            partial(connect_async, database.url, Role.INGEST), [history], lambda: _instant(clock.now())
        )
        run = asyncio.create_task(backfill.run())
        backfill.add(SOLANA_ONCHAIN, {"mint": 9})
        backfill.add(HYPERLIQUID_PERPS, {"BTC": 1, "XRP": 2})
        try:
            await until(
                lambda: rows(database, "SELECT count(DISTINCT (instrument_id, timeframe)) FROM venue_candles") == [(5,)]
            )
            # All but the minute that is not over yet.
            assert _newest(database)[1] == _instant(start) - 2 * MINUTE
            counts = rows(database, "SELECT instrument_id, timeframe::text, count(*) FROM venue_candles GROUP BY 1, 2")
            assert all(700 <= count <= 1440 for _, _, count in counts)
            # BTC is always watched, for the market's regime.
            assert {row[:2] for row in counts} == {(1, "1m"), (1, "1h"), (1, "1d"), (2, "1m"), (2, "1h")}
        finally:
            run.cancel()
            await asyncio.wait([run])
            await world.stop()

    asyncio.run(main())


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _newest(database: Database) -> dict[int, datetime]:
    return dict(rows(database, "SELECT instrument_id, max(ts) FROM venue_candles WHERE timeframe = '1m' GROUP BY 1"))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 3 * 86_400_000).map(lambda ms: T0 + timedelta(milliseconds=ms)), st.floats(1e-9, 1e9)),
        max_size=30,
        unique_by=lambda price: price[0],
    )
)
def test_recorded_prices_are_stored_exactly_once(database: Database, prices: list[tuple[datetime, float]]) -> None:
    engine = database.engine(Role.INGEST)
    before = rows(database, "SELECT ts FROM ticks")
    new = {ts for ts, _ in prices} - {ts for (ts,) in before}
    dirty_before = len(rows(database, "SELECT 1 FROM dirty_minutes"))
    assert load_prices(engine, 1, prices).stored == len(new)
    assert load_prices(engine, 1, iter(prices)) == Loaded(found=len(prices))
    engine.dispose()
    found = {row[0]: row[1:] for row in rows(database, "SELECT ts, price, trade_id, size, side, kind::text FROM ticks")}
    for ts, price in prices:
        if ts in new:
            assert found[ts] == (
                price,
                int((ts - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)),
                None,
                None,
                "p",
            )
    minutes = {ts.replace(second=0, microsecond=0) for ts in new}
    assert len(rows(database, "SELECT 1 FROM dirty_minutes")) - dirty_before == len(minutes)
    assert rows(database, "SELECT DISTINCT source::text FROM ticks") in ([], [("a",)])


def test_prices_that_cannot_be_are_refused_by_reason_and_the_others_stored(database: Database) -> None:
    """As ticks are."""
    engine = database.engine(Role.INGEST)
    prices = [0.0, -1.0, 2.5, nan, inf, -inf, 0.0]
    found = load_prices(engine, 1, [(T0 + number * MINUTE, price) for number, price in enumerate(prices)])
    assert found == Loaded(1, 1, 0, Counter({"price not above 0": 3, "not a finite number": 3}))
    assert load_prices(engine, 1, [(T0, 0.0)]) == Loaded(refused=Counter({"price not above 0": 1}))
    engine.dispose()
    assert rows(database, "SELECT ts, price FROM ticks") == [(T0 + 2 * MINUTE, 2.5)]


@pytest.mark.slow
def test_many_recorded_prices_are_loaded(database: Database) -> None:
    """Five thousand minutes with four prices each."""
    engine = database.engine(Role.INGEST)
    prices = ((T0 + number * timedelta(seconds=15), 1.0 + number / 7) for number in range(20_000))
    assert load_prices(engine, 1, prices).stored == 20_000
    engine.dispose()
    assert rows(database, "SELECT count(*), count(DISTINCT minute) FROM dirty_minutes") == [(5000, 5000)]
