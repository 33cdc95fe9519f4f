"""A venue's socket in the test's hand: it says what the test tells it to, and remembers what it heard."""

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

T0 = datetime(2026, 3, 1, tzinfo=UTC)
PONG = {"channel": "pong"}


@dataclass
class Heard:
    """A sink that keeps everything."""

    rows: list[TickRow] = field(default_factory=list)
    refused: list[QuarantinedMessage] = field(default_factory=list)

    def add_ticks(self, venue: VenueKey, rows: Any) -> None:
        self.rows += rows

    def quarantine(self, refused: QuarantinedMessage) -> None:
        self.refused.append(refused)


class Server:
    """Answers subscriptions and pings unless told otherwise."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.messages: list[dict[str, Any]] = []
        self.answers: Callable[[dict[str, Any]], list[Any]] = answer

    @property
    def subscriptions(self) -> list[tuple[str, str]]:
        """What was subscribed to and unsubscribed from, in order."""
        return [
            (message["method"], message["subscription"]["coin"])
            for message in self.messages
            if "subscription" in message
        ]

    async def say(self, message: Any) -> None:
        """To the newest connection."""
        await self.connections[-1].send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for text in connection:
                message = json.loads(text)
                self.messages.append(message)
                for one in self.answers(message):
                    await connection.send(json.dumps(one))
        except ConnectionClosed:
            pass


@dataclass
class Scene:
    """A feed that listens to a server."""

    server: Server
    feed: HyperliquidFeed
    heard: Heard
    now: datetime = T0

    def later(self, seconds: float) -> datetime:
        """The feed's clock goes on."""
        self.now += timedelta(seconds=seconds)
        return self.now


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """The feed runs until the block ends."""
    server, heard = Server(), Heard()
    async with serve(server.handle, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        feed = HyperliquidFeed(f"http://127.0.0.1:{port}", heard, lambda: one.now)
        one = Scene(server, feed, heard)
        run = asyncio.create_task(feed.run())
        try:
            yield one
        finally:
            run.cancel()
            await asyncio.wait([run])


def answer(message: dict[str, Any]) -> list[Any]:
    """As the venue does."""
    return [PONG] if message["method"] == "ping" else [acknowledged(message)]


def acknowledged(message: dict[str, Any]) -> dict[str, Any]:
    """What the venue says to a subscription."""
    return {"channel": "subscriptionResponse", "data": message}


def trades(*tids: int, coin: str = "BTC", **special: object) -> dict[str, Any]:
    """A frame."""
    one = {"coin": coin, "side": "B", "px": "100.5", "sz": "0.25", "time": 1_772_323_200_000, "hash": "0x0"}
    return {"channel": "trades", "data": [{**one, "tid": tid, "users": ["0x1", "0x2"], **special} for tid in tids]}


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for it, and fail if it never comes."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)
