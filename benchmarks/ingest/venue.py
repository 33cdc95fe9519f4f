"""A venue in its own process, which sends frames that were built before: `python -m benchmarks.ingest.venue`.

It answers what the sidecar asks of Hyperliquid and of Jupiter, and costs as little as it can while it sends.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiohttp import WSMsgType, web

from benchmarks.ingest.trades import COINS, frames, make_trades

_CHUNK: Final = 64 * 1024
_PACED_FRAME: Final = 10


class Venue:
    """Serves one sidecar at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None

    def app(self) -> web.Application:
        """Routes of the venues, and those by which the benchmark steers it."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/ws", self._stream),
                web.post("/info", _info),
                web.get("/tokens/v2/search", _nothing_found),
                web.get("/price/v3", _no_prices),
                web.post("/build", self._build),
                web.post("/flood", self._flood),
                web.post("/pace", self._pace),
            ]
        )
        return app

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._transport = request.transport
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                answer = (
                    {"channel": "pong"}
                    if asked["method"] == "ping"
                    else {"channel": "subscriptionResponse", "data": asked}
                )
                await socket.send_json(answer)
        return socket

    async def _build(self, request: web.Request) -> web.Response:
        asked = await request.json()
        trades = make_trades(asked["rows"], asked["until_ms"])
        self._chunks = list(_chunks(frames(trades, asked["per_frame"])))
        return web.json_response({})

    async def _flood(self, _: web.Request) -> web.Response:
        """Send all frames as fast as the sidecar takes them; returns when the first was sent."""
        self._sending = asyncio.create_task(self._send_all())
        return web.json_response({"began": time.monotonic()})

    async def _send_all(self) -> None:
        for chunk in self._chunks:
            await self._write(chunk)

    async def _pace(self, request: web.Request) -> web.Response:
        """Send so many trades a second, each with the time at which it is sent; returns these times when it is done."""
        asked = await request.json()
        began = time.monotonic()
        sent = []
        for number in range(asked["per_second"] * asked["seconds"] // _PACED_FRAME):
            await asyncio.sleep(began + number * _PACED_FRAME / asked["per_second"] - time.monotonic())
            now_ms = time.time_ns() // 1_000_000
            trades = make_trades(_PACED_FRAME, now_ms, number * _PACED_FRAME)
            (frame,) = frames([trade._replace(time_ms=now_ms) for trade in trades], _PACED_FRAME)
            await self._write(_with_header(frame))
            sent.append(now_ms)
        return web.json_response(sent)

    async def _write(self, data: bytes) -> None:
        """Past aiohttp's own framing: the header was built before, too."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionError("the sidecar is gone")
        self._transport.write(data)
        while self._transport.get_write_buffer_size() > _CHUNK:
            await asyncio.sleep(0.0005)


def _chunks(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Some whole messages in each piece that is sent."""
    pieces: list[bytes] = []
    for message in messages:
        pieces.append(_with_header(message))
        if sum(map(len, pieces)) >= _CHUNK:
            yield b"".join(pieces)
            pieces.clear()
    yield b"".join(pieces)


def _with_header(frame: bytes) -> bytes:
    """A whole text message that is not masked."""
    if len(frame) < 126:
        return bytes((0x81, len(frame))) + frame
    if len(frame) < 2**16:
        return b"\x81\x7e" + len(frame).to_bytes(2, "big") + frame
    return b"\x81\x7f" + len(frame).to_bytes(8, "big") + frame


async def _info(request: web.Request) -> web.Response:
    asked = await request.json()
    if asked["type"] == "meta":
        return web.json_response({"universe": [{"name": coin, "szDecimals": 5} for coin in COINS]})
    return web.json_response([])


async def _nothing_found(_: web.Request) -> web.Response:
    return web.json_response([])


async def _no_prices(_: web.Request) -> web.Response:
    return web.json_response({})


async def _serve() -> None:
    runner = web.AppRunner(Venue().app())
    await runner.setup()
    site: Any = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
