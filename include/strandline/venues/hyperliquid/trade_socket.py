"""A WebSocket connection to Hyperliquid: subscribes to trades, receives them, and sends pings."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from websockets.asyncio.client import ClientConnection

from strandline.venues.hyperliquid.wire import Message, Pong, SubscriptionReply, read_frame, subscription
from strandline.venues.rate_limiter import RateLimiter

_PING: Final = '{"method":"ping"}'
_QUIET_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0


class Subscriptions:
    """The coins to subscribe to, which may change at any time."""

    def __init__(self) -> None:
        self.coins: AbstractSet[str] = frozenset()
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
        socket: ClientConnection,
        subscriptions: Subscriptions,
        rate_limiter: RateLimiter,
        on_message: Callable[[bytes, Message], None],
    ) -> None:
        self._socket = socket
        self._subscriptions = subscriptions
        self._rate_limiter = rate_limiter
        self._on_message = on_message
        self._unanswered = 0
        self._answered = asyncio.Event()
        self._settling = False
        self._settled = asyncio.Event()
        self.was_settled = False
        self._received_at = asyncio.get_running_loop().time()

    @property
    def settled(self) -> bool:
        """Whether every subscription is confirmed and replayed, so that no trade is missing."""
        return self._settled.is_set() and not self._subscriptions.changed.is_set()

    async def run(self) -> None:
        """Run until the connection fails, and raise its error."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive())
            tasks.create_task(self._keep_alive())
            tasks.create_task(self._follow_subscriptions())

    async def _receive(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = await self._socket.recv(decode=False)
            self._received_at = clock()
            message = read_frame(frame)
            if isinstance(message, SubscriptionReply):
                self._unanswered = max(0, self._unanswered - 1)
                if not self._unanswered:
                    self._answered.set()
            elif isinstance(message, Pong) and self._settling:
                self._settled.set()
                self.was_settled = True
            self._on_message(frame, message)

    async def _keep_alive(self) -> None:
        """Ping a quiet connection: the pong proves that nothing is missing, and keeps the venue from closing it."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_QUIET_SECONDS)
            silence = clock() - self._received_at
            if silence > _SILENT_SECONDS:
                raise TimeoutError(f"nothing received for {silence:.0f} seconds")
            if silence > _QUIET_SECONDS:
                await self._send(_PING)

    async def _follow_subscriptions(self) -> None:
        current: frozenset[str] = frozenset()
        while True:
            self._subscriptions.changed.clear()
            wanted = frozenset(self._subscriptions.coins)
            await self._change(current, wanted)
            current = wanted
            await self._subscriptions.changed.wait()

    async def _change(self, current: frozenset[str], wanted: frozenset[str]) -> None:
        """Send the differences, then a ping, whose pong follows all replayed trades."""
        changes = [(coin, False) for coin in sorted(current - wanted)] + [
            (coin, True) for coin in sorted(wanted - current)
        ]
        self._settled.clear()
        self._answered.clear()
        self._unanswered = len(changes)
        for coin, is_wanted in changes:
            await self._send(subscription(coin, wanted=is_wanted))
        async with asyncio.timeout(_ANSWER_SECONDS):
            if changes:
                await self._answered.wait()
            self._settling = True
            await self._send(_PING)
            await self._settled.wait()
        self._settling = False

    async def _send(self, message: str) -> None:
        await self._rate_limiter.acquire()
        await self._socket.send(message)
