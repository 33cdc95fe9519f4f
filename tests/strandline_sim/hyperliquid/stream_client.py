"""A plain WebSocket client of a venue with a stepped clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import Faults
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.trades import Trade
from tests.strandline_sim.hyperliquid.sample_venue import START, make_venue

TRADES = {"type": "trades", "coin": "BTC"}
Test = Callable[["Connection"], Awaitable[None]]


class Connection:
    """A connection to a venue."""

    def __init__(self, venue: HyperliquidVenue, clock: SteppedClock, url: str, socket: ClientConnection) -> None:
        self.venue = venue
        self.clock = clock
        self.url = url
        self.socket = socket

    async def send(self, message: Any) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def receive(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.socket.recv())

    async def subscribe(self, **subscription: Any) -> Any:
        await self.send({"method": "subscribe", "subscription": subscription})
        answer = await self.receive()
        assert answer["channel"] == "subscriptionResponse", answer
        return answer["data"]["subscription"]

    async def frames(self) -> list[Any]:
        """Return the frames that have come until now."""
        await self.send({"method": "ping"})
        found = []
        while (frame := await self.receive()) != {"channel": "pong"}:
            found.append(frame)
        return found

    @asynccontextmanager
    async def second(self) -> AsyncIterator["Connection"]:
        """Connect to the same venue once more."""
        async with connect(self.url, proxy=None) as socket:
            yield Connection(self.venue, self.clock, self.url, socket)

    async def expect_no_message(self) -> None:
        await self.send({"method": "ping"})
        assert await self.receive() == {"channel": "pong"}

    def trades(self, seconds: float) -> list[Trade]:
        end = self.clock.now()
        return list(self.venue.exchange.market.trades("BTC", end - int(seconds * 1000), end))


@asynccontextmanager
async def connected(limits: Limits | None = None, faults: Faults | None = None) -> AsyncIterator[Connection]:
    clock = SteppedClock(START)
    venue, _ = make_venue(clock=clock, limits=limits, faults=faults)
    url = (await venue.start()).replace("http", "ws") + "/ws"
    try:
        async with connect(url, proxy=None) as socket:
            yield Connection(venue, clock, url, socket)
    finally:
        await venue.stop()


def with_connection(limits: Limits | None = None, faults: Faults | None = None) -> Callable[[Test], Callable[[], None]]:
    """Run the test with a connection to a new venue."""

    def wrap(test: Test) -> Callable[[], None]:
        def run() -> None:
            async def inside() -> None:
                async with connected(limits, faults) as connection:
                    await test(connection)

            asyncio.run(inside())

        return run

    return wrap
