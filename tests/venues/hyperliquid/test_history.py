"""History: closed candles, and no others."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from strandline.model.timeframe import Timeframe
from strandline.venues.feed import FeedError
from strandline.venues.hyperliquid.history import HyperliquidHistory, _weight
from strandline.venues.hyperliquid.limits import HISTORY_LIMITS
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.world import World

START = 1_790_000_040_000
MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def run(scenario: Callable[[World, HyperliquidHistory, datetime], Awaitable[None]], *rules: Rule) -> None:
    """Run a scenario half a minute into a minute."""

    async def inside() -> None:
        world = World(SteppedClock(START + 30_000), seed=3, rules=rules)
        at = await world.start()
        try:
            now = datetime.fromtimestamp(world.clock.now() / 1000, UTC)
            await scenario(world, HyperliquidHistory(at.hyperliquid), now)
        finally:
            await world.stop()

    asyncio.run(inside())


def test_it_returns_the_newest_five_thousand_closed_candles() -> None:
    async def scenario(world: World, history: HyperliquidHistory, now: datetime) -> None:
        found = await history.candles("BTC", Timeframe.M1, LONG_AGO, now)
        # The forming one is among the five thousand that the venue has.
        first, last = START - 4999 * 60_000, START - 60_000
        expected = {candle.time: candle for candle in world.market.candles("BTC", 60_000, first, START)}
        assert [int(candle.ts.timestamp() * 1000) for candle in found] == sorted(expected)
        for candle in found[:5] + found[-5:]:
            one = expected[int(candle.ts.timestamp() * 1000)]
            assert candle[1:] == (*(float(value) for value in one[2:7]), one.trades)
        assert max(expected) == last

    run(scenario)


@pytest.mark.parametrize(("seconds", "over"), [(-1, 1), (0, 1), (1, 1), (2, 2), (59, 2)])
def test_a_candle_is_closed_a_moment_after_its_end(seconds: int, over: int) -> None:
    """The venue lists the forming candle too, and its clock may differ."""

    async def scenario(_: World, history: HyperliquidHistory, now: datetime) -> None:
        minute = Timeframe.M1.start_of(now)
        as_of = minute + timedelta(seconds=seconds)
        found = await history.candles("BTC", Timeframe.M1, minute - 2 * MINUTE, as_of)
        assert [candle.ts for candle in found] == [minute - 2 * MINUTE, minute - MINUTE][:over]

    run(scenario)


def test_a_request_that_is_not_urgent_waits_for_those_that_are() -> None:
    """What others have asked for has come back of the limit before it is sent."""

    async def scenario(_: World, history: HyperliquidHistory, now: datetime) -> None:
        loop, since = asyncio.get_running_loop(), now - 10 * MINUTE
        started = loop.time()
        assert await history.candles("BTC", Timeframe.M1, since, now, spare=True)
        await history.candles("BTC", Timeframe.M1, since, now)
        urgent = loop.time() - started
        await history.candles("BTC", Timeframe.M1, since, now, spare=True)
        assert loop.time() - started >= urgent + 1, "it has waited for twenty units of ten a second"

    run(scenario)


def test_candles_that_do_not_exist_are_not_requested() -> None:
    async def scenario(world: World, history: HyperliquidHistory, now: datetime) -> None:
        world.faults.add(Rule(route="*", kind=FaultKind.STATUS, value=500, times=None))
        assert await history.candles("BTC", Timeframe.M1, Timeframe.M1.start_of(now), now) == []
        with pytest.raises(FeedError, match="500"):
            await history.candles("BTC", Timeframe.M1, now - 2 * MINUTE, now)

    run(scenario)


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.DROP_ANSWER, FaultKind.MALFORMED, FaultKind.STATUS])
def test_a_failing_venue_is_an_error(kind: FaultKind) -> None:
    async def scenario(_: World, history: HyperliquidHistory, now: datetime) -> None:
        with pytest.raises(FeedError, match="Hyperliquid"):
            await history.candles("BTC", Timeframe.M1, LONG_AGO, now)
        assert len(await history.candles("BTC", Timeframe.M1, now - timedelta(hours=1), now)) > 50

    run(scenario, Rule(route="hyperliquid/info/candleSnapshot", kind=kind, value=429))


def test_two_hundred_coins_are_compared_within_a_quarter_of_an_hour() -> None:
    """As docs/data.md says: each request is for the minutes since the last."""
    spare = HISTORY_LIMITS.spare_rate.per_second
    assert 200 * _weight(15) / spare < 15 * 60
    assert spare <= HISTORY_LIMITS.rate.per_second / 2
