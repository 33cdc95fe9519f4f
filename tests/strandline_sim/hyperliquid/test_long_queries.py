"""A query that takes long to answer holds up nobody else."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from threading import Event
from typing import Any

import aiohttp
import pytest
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.candles import Candle
from strandline_sim.market.market import Market
from strandline_sim.market.spec import perp
from strandline_sim.tape import Tape
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, DAY, MONEY, START

HOUR = 3_600_000
USER = ALICE.address.lower()
LONG: list[dict[str, Any]] = [
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1h", "startTime": START - DAY}},
    {"type": "fundingHistory", "coin": "BTC", "startTime": START - DAY},
    {"type": "portfolio", "user": USER},
    {"type": "userFees", "user": USER},
]


class SlowMarket(Market):
    """A market whose past is not computed before it is released."""

    def __init__(self, clock: SteppedClock) -> None:
        super().__init__(1, [perp("BTC", "60000", 5)])
        self._clock = clock
        self.asked = Event()
        self.released = Event()
        self.released.set()

    def candles(self, *arguments: Any) -> Sequence[Candle]:  # type: ignore[override]
        self._wait(0)
        return super().candles(*arguments)

    def funding_rate(self, symbol: str, hour_ms: int) -> Decimal:
        self._wait(hour_ms)
        return super().funding_rate(symbol, hour_ms)

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        self._wait(at_ms)
        return super().mark(symbol, at_ms)

    def _wait(self, at: int) -> None:
        if at < self._clock.now() - HOUR:
            self.asked.set()
            assert self.released.wait(20)


class Served:
    """A venue on which an account traded two days ago."""

    def __init__(self, limits: Limits) -> None:
        self.clock = SteppedClock(START)
        self.market = SlowMarket(self.clock)
        rules = Rules(update_ms=HOUR)
        deposits = {USER: MONEY}
        self.venue = HyperliquidVenue(
            self.market, self.clock, Tape(), deposits=deposits, rules=rules, limits=limits, nonce_window=False
        )

    async def start(self) -> None:
        self.url = await self.venue.start()
        exchange = await asyncio.to_thread(Exchange, ALICE, self.url, timeout=10)
        answer = await asyncio.to_thread(exchange.market_open, "BTC", True, 0.01)
        assert "filled" in str(answer)
        await self.clock.step(2 * DAY)
        self.market.asked.clear()
        self.market.released.clear()

    async def stop(self) -> None:
        self.market.released.set()
        await self.venue.stop()


async def status(http: aiohttp.ClientSession, served: Served, query: dict[str, Any]) -> int:
    async with http.post(served.url + "/info", json=query) as answer:
        return answer.status


@pytest.mark.parametrize("query", LONG, ids=lambda query: str(query["type"]))
def test_others_are_answered_meanwhile(query: dict[str, Any]) -> None:
    async def check() -> None:
        served = Served(Limits.none())
        async with aiohttp.ClientSession() as http:
            try:
                await served.start()
                long = asyncio.create_task(status(http, served, query))
                assert await asyncio.to_thread(served.market.asked.wait, 10)
                assert await asyncio.wait_for(status(http, served, {"type": "meta"}), 10) == 200
                assert not long.done()
                served.market.released.set()
                assert await long == 200
            finally:
                await served.stop()

    asyncio.run(check())


def test_it_counts_before_it_is_answered() -> None:
    """Else any number of them could be asked at once."""

    async def check() -> None:
        served = Served(Limits(weight_per_minute=100))
        async with aiohttp.ClientSession() as http:
            try:
                await served.start()
                long = asyncio.gather(*(status(http, served, LONG[0]) for _ in range(8)))
                await asyncio.to_thread(served.market.asked.wait, 10)
                served.market.released.set()
                assert sorted(await long) == [200] * 5 + [429] * 3
            finally:
                await served.stop()

    asyncio.run(check())
