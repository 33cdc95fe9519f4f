"""A WebSocket server whose responses the test scripts, and a feed that is connected to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from strandline.model.venue import VenueKey
from strandline.venues.feed import QuarantinedMessage, TickRow
from strandline.venues.hyperliquid.feed import HyperliquidFeed
from strandline.venues.packed_ticks import PackedTicks, unpack

T0 = datetime(2026, 3, 1, tzinfo=UTC)
PONG = {"channel": "pong"}


@dataclass
class RecordingSink:
    """A sink that keeps everything."""

    rows: list[TickRow] = field(default_factory=list)
    refused: list[QuarantinedMessage] = field(default_factory=list)

    def add_ticks(self, venue: VenueKey, rows: Any) -> None:
        self.rows += rows

    def add_packed(self, venue: VenueKey, ticks: PackedTicks) -> None:
        self.rows += unpack(ticks)

    def quarantine(self, refused: QuarantinedMessage) -> None:
        self.refused.append(refused)


class ScriptedSocket:
    """Records messages and responds to them, by default as the venue does."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.messages: list[dict[str, Any]] = []
        self._coins: dict[ServerConnection, set[str]] = {}
        self.responses: Callable[[dict[str, Any]], list[Any]] = default_responses

    @property
    def subscriptions(self) -> list[tuple[str, str]]:
        """Return the subscriptions and unsubscriptions, in order."""
        return [
            (message["method"], message["subscription"]["coin"])
            for message in self.messages
            if "subscription" in message
        ]

    def coins_by_connection(self) -> list[frozenset[str]]:
        """Return the coins that each connection has subscribed to, in the order of the connections."""
        return [frozenset(self._coins.get(connection, ())) for connection in self.connections]

    async def send(self, message: Any) -> None:
        """Send a frame on the newest connection."""
        await self.connections[-1].send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for text in connection:
                message = json.loads(text)
                self.messages.append(message)
                if message["method"] == "subscribe":
                    self._coins.setdefault(connection, set()).add(message["subscription"]["coin"])
                for response in self.responses(message):
                    await connection.send(json.dumps(response))
        except ConnectionClosed:
            pass


@dataclass
class ConnectedFeed:
    """A feed that is connected to a scripted socket."""

    server: ScriptedSocket
    feed: HyperliquidFeed
    sink: RecordingSink
    now: datetime = T0

    def advance(self, seconds: float) -> datetime:
        """Advance the feed's clock."""
        self.now += timedelta(seconds=seconds)
        return self.now


@asynccontextmanager
async def connected_feed() -> AsyncIterator[ConnectedFeed]:
    """Run a feed until the block ends."""
    server, sink = ScriptedSocket(), RecordingSink()
    async with serve(server.handle, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        feed = HyperliquidFeed(f"http://127.0.0.1:{port}", sink, lambda: connected.now)
        connected = ConnectedFeed(server, feed, sink)
        run = asyncio.create_task(feed.run())
        try:
            yield connected
        finally:
            run.cancel()
            await asyncio.wait([run])


def default_responses(message: dict[str, Any]) -> list[Any]:
    """Respond as the venue does."""
    return [PONG] if message["method"] == "ping" else [acknowledged(message)]


def acknowledged(message: dict[str, Any]) -> dict[str, Any]:
    """Make the venue's acknowledgement of a subscription."""
    return {"channel": "subscriptionResponse", "data": message}


def trades(*tids: int, coin: str = "BTC", **special: object) -> dict[str, Any]:
    """Make a frame of trades."""
    one = {"coin": coin, "side": "B", "px": "100.5", "sz": "0.25", "time": 1_772_323_200_000, "hash": "0x0"}
    return {"channel": "trades", "data": [{**one, "tid": tid, "users": ["0x1", "0x2"], **special} for tid in tids]}


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds, and fail if it never does."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)
