"""One WebSocket: what it is subscribed to, and the frames on their way to it."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from strandline_sim.clock import Clock

if TYPE_CHECKING:
    from strandline_sim.hyperliquid.topics import Topic

_MOST_WAITING: Final = 200_000


class Socket:
    """Frames leave in order; whoever reads too slowly is cut off."""

    def __init__(self, request: web.Request, connection: web.WebSocketResponse, clock: Clock) -> None:
        self.topics: set[Topic] = set()
        self.last_sent = clock.now()
        self._request = request
        self._connection = connection
        self._clock = clock
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._ready = asyncio.Event()

    def send(self, frame: bytes, due: int = 0) -> None:
        """On its way, at once or from an instant on; later frames wait behind it."""
        if len(self._waiting) >= _MOST_WAITING:
            self.cut()
            return
        self._waiting.append((frame, due))
        self.last_sent = self._clock.now()
        self._ready.set()

    def cut(self) -> None:
        """Gone without a word, as a network goes."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Closed as the protocol has it."""
        await self._connection.close()

    async def deliver(self) -> None:
        """Send what waits, for as long as there is a connection."""
        while not self._connection.closed:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                frame, due = self._waiting.popleft()
                if due:
                    await self._clock.wait_until(due)
                try:
                    await self._connection.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, RuntimeError):  # it closed meanwhile
                    return
