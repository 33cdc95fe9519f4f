"""The regime's way from the venue's candles to its phases: load, roll up, step, read."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from strandline.bars import roll_up
from strandline.cycle.regime_inputs import read_regime
from strandline.cycle.regime_step import step_regime
from strandline.engine import MemberBar, index_bars
from strandline.history.candles import SeriesKey, load_candles
from strandline.model.regime import MACRO, MESO
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.history import HyperliquidHistory
from strandline_sim.clock import SteppedClock
from strandline_sim.world import World
from tests.conftest import Database
from tests.engine.samples import STRATEGY
from tests.store.rows import insert

NOW = datetime(2026, 9, 21, 15, 5, tzinfo=UTC)
BARS = 800
COINS = ("BTC", "ETH")
"""As many as the rate limit allows at once."""


def test_phases_are_known_as_soon_as_the_candles_are_loaded(database: Database) -> None:
    with database.session() as connection:
        for coin in COINS:
            insert(connection, "instruments", token_contract=coin, symbol=coin)
    candles = asyncio.run(_load(database))
    app = database.engine(Role.APP)
    roll_up(app, NOW)
    step_regime(app, STRATEGY, NOW)
    with app.connect() as connection:
        found = read_regime(connection, NOW, STRATEGY.drivers.fade_bars)
        closes = {
            timeframe: connection.scalars(
                text("""
                SELECT close FROM regime_bars WHERE series = 'index' AND timeframe = CAST(:timeframe AS timeframe)
                ORDER BY ts
                """),
                {"timeframe": timeframe.value},
            ).all()
            for timeframe in (MESO, MACRO)
        }
    app.dispose()
    assert found.meso is not None
    assert found.macro is not None
    assert (found.meso.bar_ts, found.macro.bar_ts) == (MESO.last_final(NOW), MACRO.last_final(NOW))
    assert found.index is not None
    assert found.btc is not None
    assert STRATEGY.history.bars_for_flags <= found.index.bar_count < found.btc.bar_count <= BARS
    for timeframe in (MESO, MACRO):
        by_time: dict[datetime, dict[str, MemberBar]] = {}
        for coin in COINS:
            for ts, open_, high, low, close, volume, _ in candles[coin, timeframe]:
                by_time.setdefault(ts, {})[coin] = MemberBar(open_, high, low, close, volume * close)
        expected = [bar.close for bar in index_bars(sorted(by_time.items()))]
        assert closes[timeframe] == expected[-len(closes[timeframe]) :]


async def _load(database: Database) -> dict[Any, Any]:
    """Load the candles as the sidecar does; returns what the venue has."""
    clock = SteppedClock(int(NOW.timestamp() * 1000))
    world = World(clock, seed=3)
    at = await world.start()
    connection = await connect_async(database.url, Role.INGEST)
    history = HyperliquidHistory(at.hyperliquid)
    try:
        found = {}
        for number, coin in enumerate(COINS, 1):
            for timeframe in (MESO, MACRO):
                since = NOW - BARS * timeframe.length
                await load_candles(connection, history, coin, SeriesKey(number, timeframe), since, NOW)
                found[coin, timeframe] = _served(world, coin, timeframe.length, since)
        return found
    finally:
        await connection.close()
        await world.stop()


def _served(world: World, coin: str, length: timedelta, since: datetime) -> list[Any]:
    """The simulated market's own candles of bars that are over."""
    interval = int(length.total_seconds() * 1000)
    end = int(NOW.timestamp() * 1000) // interval * interval
    candles = world.market.candles(coin, interval, int(since.timestamp() * 1000), end)
    return [
        (
            datetime.fromtimestamp(candle.time / 1000, UTC),
            *(float(value) for value in (candle.open, candle.high, candle.low, candle.close, candle.volume)),
            candle.trades,
        )
        for candle in candles
        if candle.trades
    ]
