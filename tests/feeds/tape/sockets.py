"""The venue's side of a WebSocket: answers in order, and everything that may happen to a connection."""

import asyncio
import contextlib
import json
from collections import deque
from typing import Any, Final

from aiohttp import WSMsgType, web

_MOST_WAITING: Final = 64 * 2**20


class Socket:
    """One connection. What is sent waits in a queue of its own, so that a slow client holds up nobody."""

    def __init__(self, response: web.WebSocketResponse, request: web.Request) -> None:
        self.coins: set[str] = set()
        self._response = response
        self._request = request
        self._queue: deque[tuple[bytes, bool]] = deque()
        self.waiting = 0
        self._filled = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        self._queue.append((payload, is_text))
        self.waiting += len(payload)
        self._filled.set()
        if self.waiting > _MOST_WAITING:
            self.abort()

    def answer(self, message: Any) -> None:
        self.send(json.dumps(message).encode())

    def abort(self) -> None:
        """Cut it without a word."""
        self.coins.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Say goodbye, as a venue that is about to restart."""
        self.coins.clear()
        with contextlib.suppress(OSError):
            await self._response.close(code=1001)

    async def stall(self, seconds: float) -> None:
        """Send nothing for a while, and then everything."""
        self._flowing.clear()
        await asyncio.sleep(seconds)
        self._flowing.set()

    async def pump(self) -> None:
        """Send what waits, until the connection ends."""
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                await self._filled.wait()
                await self._flowing.wait()
                while self._queue and self._flowing.is_set():
                    payload, is_text = self._queue.popleft()
                    self.waiting -= len(payload)
                    await self._response.send_frame(payload, WSMsgType.TEXT if is_text else WSMsgType.BINARY)
                if not self._queue:
                    self._filled.clear()
