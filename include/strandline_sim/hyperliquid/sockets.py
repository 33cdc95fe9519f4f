"""A client's WebSocket: its subscriptions and queued frames."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from strandline_sim.clock import Clock

if TYPE_CHECKING:
    from strandline_sim.hyperliquid.topics import Topic

_MAX_QUEUED: Final = 200_000


class Socket:
    """Sends frames in order; a client that reads too slowly is disconnected."""

    def __init__(self, request: web.Request, connection: web.WebSocketResponse, clock: Clock) -> None:
        self.topics: set[Topic] = set()
        self.last_sent = clock.now()
        self._request = request
        self._connection = connection
        self._clock = clock
        self._queue: deque[tuple[bytes, int]] = deque()
        self._ready = asyncio.Event()

    def send(self, frame: bytes, due: int = 0) -> None:
        """Queue a frame, to be sent at once or at an instant; later frames wait for it."""
        if len(self._queue) >= _MAX_QUEUED:
            self.abort()
            return
        self._queue.append((frame, due))
        self.last_sent = self._clock.now()
        self._ready.set()

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Close the connection with a closing handshake."""
        await self._connection.close()

    async def deliver(self) -> None:
        """Send queued frames until the connection is closed."""
        while not self._connection.closed:
            await self._ready.wait()
            self._ready.clear()
            while self._queue:
                frame, due = self._queue.popleft()
                if due:
                    await self._clock.wait_until(due)
                try:
                    await self._connection.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, RuntimeError):  # the connection was closed
                    return
