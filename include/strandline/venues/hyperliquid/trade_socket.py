"""A WebSocket connection to Hyperliquid: subscribes to trades, receives them, and sends pings."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from websockets.asyncio.client import ClientConnection

from strandline.venues.coverage import StreamCoverage
from strandline.venues.hyperliquid.wire import Change, Message, Pong, SubscriptionReply, read_frame, subscription
from strandline.venues.rate_limiter import RateLimiter

_PING: Final = '{"method":"ping"}'
_PING_SECONDS: Final = 0.5
_SILENT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0


class Subscriptions:
    """The coins to subscribe to, which may change at any time; None before anybody has said."""

    def __init__(self) -> None:
        self.coins: AbstractSet[str] | None = None
        self.changed = asyncio.Event()

    def set(self, coins: AbstractSet[str]) -> None:
        """Replace the coins."""
        if coins != self.coins:
            self.coins = coins
            self.changed.set()


class TradeSocket:
    """Keeps the connection's subscriptions equal to `Subscriptions`, and passes on every message."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        coverage: StreamCoverage,
        rate_limiter: RateLimiter,
        ping_interval: Callable[[], float],
        clock: Callable[[], datetime],
        on_message: Callable[[bytes, Message], None],
        take_trades: Callable[[bytes, int], int],
    ) -> None:
        """`ping_interval` says how many seconds there must be between pings at least."""
        self._subscriptions = subscriptions
        self._coverage = coverage
        self._rate_limiter = rate_limiter
        self._ping_interval = ping_interval
        self._clock = clock
        self._on_message = on_message
        self._take_trades = take_trades
        self._subscribed: frozenset[str] = frozenset()
        self._unconfirmed: set[Change] = set()
        self._refusals = 0
        self._answered = asyncio.Event()
        self.settled_at: float | None = None
        """The loop's time when everything that is subscribed to was proved to be received, the last time."""
        self._time = asyncio.get_running_loop().time
        self._received_at = self._pinged_at = self._time()

    async def run(self, connection: ClientConnection) -> None:
        """Run until the connection fails, and raise its error; its messages are passed to `take` and `receive`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_end_of(connection))
            tasks.create_task(self._keep_pinging(connection))
            tasks.create_task(self._follow_subscriptions(connection))

    def take(self, data: bytes, at: int) -> int:
        """Pass on the frames of trades that can be taken all at once; return where the others begin."""
        self._received_at = self._time()
        return self._take_trades(data, at)

    def receive(self, frame: bytes) -> None:
        """Pass on a message, and note what it says of the connection."""
        self._received_at = self._time()
        message = read_frame(frame)
        self._on_message(frame, message)
        if isinstance(message, SubscriptionReply):
            self._confirm(message)
        elif isinstance(message, Pong):
            self._coverage.answered()
            if self._coverage.settled:
                self.settled_at = self._time()

    async def _keep_pinging(self, connection: ClientConnection) -> None:
        """Ping a busy connection too: nothing but the pong proves that nothing is missing."""
        while True:
            await asyncio.sleep(max(_PING_SECONDS, self._ping_interval()))
            silence, wait = self._time() - self._received_at, self._time() - self._pinged_at
            if silence > _SILENT_SECONDS:
                raise TimeoutError(f"nothing received for {silence:.0f} seconds")
            if not self._coverage.waits_for_answer:
                await self._ping(connection)
            elif wait > _ANSWER_SECONDS:
                raise TimeoutError(f"a ping was not answered for {wait:.0f} seconds")

    async def _follow_subscriptions(self, connection: ClientConnection) -> None:
        while True:
            if self._subscriptions.coins is not None:
                self._subscriptions.changed.clear()
                await self._change(connection, frozenset(self._subscriptions.coins))
            await self._subscriptions.changed.wait()

    async def _change(self, connection: ClientConnection, wanted: frozenset[str]) -> None:
        """Send the differences, then a ping, whose pong follows all replayed trades."""
        current = self._subscribed
        changes = [Change("unsubscribe", coin) for coin in sorted(current - wanted)] + [
            Change("subscribe", coin) for coin in sorted(wanted - current)
        ]
        self._coverage.unsettle(current & wanted)
        self._unconfirmed, self._refusals = set(changes), 0
        self._answered.clear()
        for change in changes:
            await self._send(connection, subscription(change))
        if changes:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._answered.wait()
        self._subscribed = wanted - {change.coin for change in self._unconfirmed}
        self._coverage.settle(self._subscribed)
        await self._ping(connection)

    def _confirm(self, reply: SubscriptionReply) -> None:
        """A refusal does not say what it refuses: what is unconfirmed when all are answered was refused.

        Unless its confirmation comes later: then the error was about something else.
        """
        if reply.error is not None:
            self._refusals += 1
        elif reply.change is not None and reply.change in self._unconfirmed:
            self._unconfirmed.discard(reply.change)
            if self._answered.is_set():
                self._subscribed |= {reply.change.coin}
                self._subscriptions.changed.set()
        if len(self._unconfirmed) <= self._refusals:
            self._answered.set()

    async def _ping(self, connection: ClientConnection) -> None:
        await self._rate_limiter.acquire()
        self._coverage.pinged(self._clock())
        self._pinged_at = self._time()
        await connection.send(_PING)

    async def _send(self, connection: ClientConnection, message: str) -> None:
        await self._rate_limiter.acquire()
        await connection.send(message)


async def _end_of(connection: ClientConnection) -> None:
    """Raise why it ended: no message is left for `recv`."""
    await connection.recv()
