"""Candles of a venue: day by day, the closed ones only, and again when the venue refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import repeat

import pytest

from strandline.history import rest
from strandline.history.backfill import Outcome
from strandline.history.rest import rest_units
from strandline.model.timeframe import Timeframe
from strandline.venues.hyperliquid import history
from strandline.venues.hyperliquid.history import HyperliquidHistory
from strandline.venues.hyperliquid.limits import HISTORY_LIMITS
from strandline.venues.limits import RateLimit
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.world import World
from tests.conftest import Database
from tests.history.loading import INSTRUMENTS, load_in_loop, register, rows

START = 1_790_000_040_000
NOW = datetime.fromtimestamp(START / 1000, UTC) + timedelta(seconds=30)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between attempts, and no rate limit."""
    monkeypatch.setattr(rest, "pauses", lambda: repeat(0.01))
    monkeypatch.setattr(history, "HISTORY_LIMITS", HISTORY_LIMITS._replace(rate=RateLimit(1e9, 1e9)))


def run(scenario: Callable[[World, HyperliquidHistory], Awaitable[None]], *rules: Rule) -> None:
    """Run a scenario with a venue half a minute into a minute."""

    async def inside() -> None:
        world = World(SteppedClock(START + 30_000), seed=3, rules=rules)
        at = await world.start()
        try:
            await scenario(world, HyperliquidHistory(at.hyperliquid))
        finally:
            await world.stop()

    asyncio.run(inside())


def test_the_venue_s_candles_are_stored_as_far_back_as_they_go(database: Database) -> None:
    """It keeps five thousand, the forming one among them; a refused request is made again."""
    register(database)

    async def scenario(world: World, candles: HyperliquidHistory) -> None:
        units = list(rest_units(candles, Timeframe.M1, INSTRUMENTS, NOW - 5 * DAY, NOW + DAY, NOW))
        done = await load_in_loop(database, units)
        assert done.failures == []
        kept = {
            int(number): {
                candle.time for candle in world.market.candles(coin, 60_000, START - 4999 * 60_000, START - 1)
            }
            for coin, number in INSTRUMENTS.items()
        }
        for number, times in kept.items():
            found = rows(
                database,
                f"SELECT extract(epoch FROM ts)::bigint * 1000 FROM venue_candles WHERE instrument_id = {number}",
            )
            assert {ts for (ts,) in found} == times
        assert done.rows.stored == sum(map(len, kept.values()))
        oldest = NOW - timedelta(minutes=5_000)
        assert done.units[Outcome.NOTHING] == sum(unit.complete_until < oldest for unit in units) > 0
        again = await load_in_loop(database, units)
        # What the venue did not have is asked for again.
        assert again.units == {**done.units, Outcome.LOADED: 0, Outcome.LOADED_BEFORE: done.units[Outcome.LOADED]}
        before = rows(database, "SELECT * FROM venue_candles ORDER BY 1, 3")
        repeated = await load_in_loop(database, units, again=True)
        assert (repeated.rows.found, repeated.rows.stored, repeated.rows.changed) == (done.rows.found, 0, 0)
        assert rows(database, "SELECT * FROM venue_candles ORDER BY 1, 3") == before

    run(scenario, Rule(route="hyperliquid/info/candleSnapshot", kind=FaultKind.STATUS, value=429, times=3))


def test_longer_candles_go_further_back(database: Database) -> None:
    """They stand in for bars where there is nothing finer."""
    register(database)

    async def scenario(world: World, candles: HyperliquidHistory) -> None:
        first = Timeframe.H1.start_of(NOW) - 70 * DAY
        units = list(rest_units(candles, Timeframe.H1, {"BTC": 1}, first, NOW, NOW))
        done = await load_in_loop(database, units, bars=True)
        expected = [(first + n * timedelta(hours=1),) for n in range(70 * 24)]
        assert rows(database, "SELECT ts FROM venue_candles WHERE timeframe = '1h' ORDER BY ts") == expected
        assert done.rows.stored == len(expected)
        assert len(units) < 4
        bars = rows(database, "SELECT ts FROM bars WHERE timeframe = '1h' AND source = 'r' ORDER BY ts")
        assert bars == expected
        # Candles of one minute are another unit.
        minutes = list(rest_units(candles, Timeframe.M1, {"BTC": 1}, NOW - timedelta(hours=2), NOW, NOW))
        assert (await load_in_loop(database, minutes)).rows.stored > 100

    run(scenario)


def test_a_day_that_was_not_over_is_loaded_again(database: Database) -> None:
    register(database)

    async def scenario(world: World, candles: HyperliquidHistory) -> None:
        hour = timedelta(hours=1)
        await load_in_loop(database, rest_units(candles, Timeframe.M1, {"BTC": 1}, NOW - hour, NOW + DAY, NOW - MINUTE))
        (before,) = rows(database, "SELECT max(ts) FROM venue_candles")
        done = await load_in_loop(database, rest_units(candles, Timeframe.M1, {"BTC": 1}, NOW - hour, NOW + DAY, NOW))
        assert (done.rows.stored, done.units[Outcome.LOADED]) == (1, 1)
        assert rows(database, "SELECT max(ts) FROM venue_candles") == [(before[0] + MINUTE,)]

    run(scenario)


def test_a_candle_with_other_numbers_is_replaced_and_counted(database: Database) -> None:
    register(database)

    async def scenario(world: World, candles: HyperliquidHistory) -> None:
        units = list(rest_units(candles, Timeframe.M1, {"BTC": 1}, NOW - timedelta(hours=1), NOW, NOW))
        await load_in_loop(database, units)
        before = rows(database, "SELECT * FROM venue_candles ORDER BY ts")
        with database.session() as session:
            session.exec_driver_sql(
                "UPDATE venue_candles SET close = close + 1 WHERE ts >= now() - interval '99 years'"
            )
            session.exec_driver_sql("DELETE FROM dirty_minutes")
        done = await load_in_loop(database, units, again=True)
        assert (done.rows.stored, done.rows.changed) == (0, len(before))
        assert rows(database, "SELECT * FROM venue_candles ORDER BY ts") == before
        assert rows(database, "SELECT count(*) FROM dirty_minutes") == [(len(before),)]

    run(scenario)


def test_a_venue_that_stays_away_ends_it_in_words(database: Database) -> None:
    register(database)

    async def scenario(world: World, candles: HyperliquidHistory) -> None:
        done = await load_in_loop(database, rest_units(candles, Timeframe.M1, INSTRUMENTS, NOW - DAY, NOW, NOW))
        assert done.failures == ["Hyperliquid answers 502 to candleSnapshot"]
        assert done.units[Outcome.FAILED] == 1
        assert rows(database, "SELECT count(*) FROM history_loads") == [(0,)]

    run(scenario, Rule(route="hyperliquid/info/candleSnapshot", kind=FaultKind.STATUS, value=502, times=None))
