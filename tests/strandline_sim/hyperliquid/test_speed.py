"""It must never be what an ingest benchmark measures."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from strandline_sim.clock import SteppedClock
from tests.strandline_sim.hyperliquid.things import START, venue

PER_FRAME = 10
FRAMES = 5_000


async def seconds_of_venue(frames: Sequence[bytes]) -> float:
    """From built frames, through the venue, to a client that reads them."""
    one, _ = venue(clock=SteppedClock(START))
    url = (await one.start()).replace("http", "ws") + "/ws"
    try:
        async with connect(url, proxy=None, compression=None, max_queue=None) as socket:
            await socket.send('{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}')
            for _ in range(2):
                await socket.recv()
            started = time.perf_counter()
            playing = asyncio.create_task(one.play("BTC", (frames[at : at + 100] for at in range(0, FRAMES, 100))))
            for frame in frames:
                assert await socket.recv(decode=False) == frame
            await playing
            return time.perf_counter() - started
    finally:
        await one.stop()


async def seconds_of_bare_server(frames: Sequence[bytes]) -> float:
    """The same frames from a server that does nothing else."""

    async def send_all(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame, text=True)

    async with serve(send_all, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None, compression=None, max_queue=None) as socket:
            started = time.perf_counter()
            for frame in frames:
                assert await socket.recv(decode=False) == frame
            return time.perf_counter() - started


@pytest.mark.slow
def test_it_sends_built_frames_about_as_fast_as_a_bare_server() -> None:
    one, _ = venue(clock=SteppedClock(START))
    built = one.trade_frames("BTC", START - 3_600_000, START, PER_FRAME)[:-1]
    frames = (built * (FRAMES // len(built) + 1))[:FRAMES]
    rounds = [(asyncio.run(seconds_of_bare_server(frames)), asyncio.run(seconds_of_venue(frames))) for _ in range(3)]
    bare, ours = (min(column) for column in zip(*rounds, strict=True))
    print(f"{FRAMES * PER_FRAME / ours:,.0f} trades/s; a bare server {FRAMES * PER_FRAME / bare:,.0f}")
    assert bare / ours > 0.25
