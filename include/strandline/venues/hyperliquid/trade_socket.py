"""One WebSocket to Hyperliquid, from its opening to its end."""

import asyncio
from collections.abc import Callable, Set
from typing import Final

from websockets.asyncio.client import ClientConnection

from strandline.venues.hyperliquid.wire import Answer, Message, Pong, read_frame, subscription
from strandline.venues.rate_limiter import RateLimiter

_PING: Final = '{"method":"ping"}'
_QUIET_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0


class Wanted:
    """The coins that shall be heard."""

    def __init__(self) -> None:
        self.coins: Set[str] = frozenset()
        self.changed = asyncio.Event()

    def be(self, coins: Set[str]) -> None:
        """From now on these."""
        if coins != self.coins:
            self.coins = coins
            self.changed.set()


class TradeSocket:
    """Hears, keeps the connection alive, and subscribes to what is wanted and to nothing else."""

    def __init__(
        self,
        socket: ClientConnection,
        wanted: Wanted,
        rate_limiter: RateLimiter,
        tell: Callable[[bytes, Message], None],
    ) -> None:
        self._socket = socket
        self._wanted = wanted
        self._rate_limiter = rate_limiter
        self._tell = tell
        self._unanswered = 0
        self._answered = asyncio.Event()
        self._settling = False
        self._settled = asyncio.Event()
        self._heard_at = asyncio.get_running_loop().time()

    @property
    def settled(self) -> bool:
        """All that is wanted has been answered and replayed: nothing that the venue has told is missing."""
        return self._settled.is_set() and not self._wanted.changed.is_set()

    async def run(self) -> None:
        """Ends with an error in any case: connections only ever break."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            tasks.create_task(self._stay_alive())
            tasks.create_task(self._follow())

    async def _hear(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = await self._socket.recv(decode=False)
            self._heard_at = clock()
            message = read_frame(frame)
            if isinstance(message, Answer):
                self._unanswered = max(0, self._unanswered - 1)
                if not self._unanswered:
                    self._answered.set()
            elif isinstance(message, Pong) and self._settling:
                self._settled.set()
            self._tell(frame, message)

    async def _stay_alive(self) -> None:
        """A ping whenever it is quiet: its answer proves that nothing is missing, and the venue does not hang up."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_QUIET_SECONDS)
            silence = clock() - self._heard_at
            if silence > _SILENT_SECONDS:
                raise TimeoutError(f"nothing heard for {silence:.0f} seconds")
            if silence > _QUIET_SECONDS:
                await self._send(_PING)

    async def _follow(self) -> None:
        heard: frozenset[str] = frozenset()
        while True:
            self._wanted.changed.clear()
            wanted = frozenset(self._wanted.coins)
            await self._change(heard, wanted)
            heard = wanted
            await self._wanted.changed.wait()

    async def _change(self, heard: frozenset[str], wanted: frozenset[str]) -> None:
        """Only what differs is said; then a ping, whose answer comes after all that the subscriptions replay."""
        changes = [(coin, False) for coin in sorted(heard - wanted)] + [(coin, True) for coin in sorted(wanted - heard)]
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
