"""The venue as a process: `python -m tests.feeds.tape.venue '{"seed": 1, …}'` prints its address, and sends the tape.

It answers what Hyperliquid answers at `/ws` and `/info`, and at `/control/…` what the proof asks of it.
"""

import asyncio
import contextlib
import gc
import json
import random
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import lz4.frame  # type: ignore[import-untyped]
import msgspec
from aiohttp import WSMsgType, web

from tests.feeds.tape.candles import Candles
from tests.feeds.tape.market import UNWATCHED, Frame, Market, Trade, Wanted, stormy
from tests.feeds.tape.sockets import Socket

_HOUR_MS: Final = 3_600_000
_SUBSCRIPTIONS: Final = 1000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: `rate` trades a second into `tape`, with so many accidents of each kind to the connections."""

    seed: int
    coins: int
    trades: int
    rate: float
    tape: str
    past_ms: int = 0
    broken_share: float = 0.0005
    interruptions: list[float] = []
    accidents: int = 0
    asides: float = 0.01


class Venue:
    """The connections, and the tape as far as it has been sent."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._rng = random.Random(job.seed + 1)
        self._candles = Candles()
        self._tape = Path(job.tape).open("w", buffering=2**20)  # noqa: SIM115  open as long as the process
        self.started_ms = now_ms()
        self.market = Market(
            Wanted(job.seed, job.coins, job.past_ms, job.broken_share, job.interruptions, job.trades, job.asides),
            self.started_ms,
            self._record,
        )
        self._hours: dict[int, list[Trade]] = defaultdict(list)
        self.sockets: list[Socket] = []
        self.accidents: Counter[str] = Counter()
        self._refusing_until = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.done = False
        self._playing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ws", self.socket),
            web.post("/info", self.info),
            web.get("/control/status", self.status),
            web.post("/control/begin", self.begin),
            web.post("/control/pause", self.pause),
            web.post("/control/resume", self.resume),
            web.post("/control/archive", self.archive),
            web.get("/tokens/v2/search", _no_tokens),
            web.get("/price/v3", _no_tokens),
        ]

    def _record(self, trade: Trade) -> None:
        self._candles.add(trade)
        self._hours[trade.time // _HOUR_MS].append(trade)
        self._tape.write("\t".join(map(str, trade)) + "\n")

    async def play(self) -> None:
        """Send the tape in bursts, and let the accidents happen."""
        accidents = sorted(stormy(self._rng) for _ in range(self.job.accidents))
        began, burst = time.monotonic(), 0.0
        while self.market.emitted < self.job.trades:
            await self._playing.wait()
            due = min((time.monotonic() - began) * self.job.rate, self.job.trades)
            if due - self.market.emitted < burst and due < self.job.trades:
                await asyncio.sleep(0.005)
                continue
            burst = self._rng.expovariate(1 / (self.job.rate * 0.05))
            for number in range(10_000_000):
                if self.market.emitted >= due:
                    break
                for frame in self.market.frames(now_ms()):
                    self._deliver(frame)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            while accidents and self.market.emitted >= accidents[0] * self.job.trades:
                accidents.pop(0)
                self._accident()
        self.done = True

    def _deliver(self, frame: Frame) -> None:
        if frame.coin is None:
            open_sockets = [socket for socket in self.sockets if socket.coins]
            if open_sockets:
                open_sockets[0].send(frame.payload, is_text=frame.is_text)
            return
        for socket in self.sockets:
            if frame.coin in socket.coins:
                socket.send(frame.payload)

    def _accident(self) -> None:
        """One of the ways in which a connection ends or falls silent."""
        sockets = [socket for socket in self.sockets if socket.coins]
        kind = self._rng.choice(("cut", "cut", "goodbye", "refusal", "short stall", "long stall"))
        if not sockets:
            kind = "refusal"
        self.accidents[kind] += 1
        socket = self._rng.choice(sockets) if sockets else None
        if kind == "refusal" or socket is None:
            self._refusing_until = time.monotonic() + self._rng.uniform(1, 8)
            for one in list(self.sockets):
                one.abort()
        elif kind == "cut":
            socket.abort()
        elif kind == "goodbye":
            self._keep(asyncio.create_task(socket.close()))
        else:
            # The client takes a venue for dead that is silent for ten seconds.
            self._keep(asyncio.create_task(socket.stall(3 if kind == "short stall" else 15)))

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if time.monotonic() < self._refusing_until:
            return web.Response(status=503)
        response = web.WebSocketResponse(compress=False, max_msg_size=2**16)
        await response.prepare(request)
        socket = Socket(response, request)
        self.sockets.append(socket)
        pump = asyncio.create_task(socket.pump())
        try:
            socket.send(b"Websocket connection established.")
            async for message in response:
                if message.type is WSMsgType.TEXT:
                    self._request(socket, message.data)
        finally:
            self.sockets.remove(socket)
            pump.cancel()
        return response

    def _request(self, socket: Socket, text: str) -> None:
        message = json.loads(text)
        method = message.get("method")
        if method == "ping":
            socket.answer({"channel": "pong"})
            return
        subscription = message.get("subscription", {})
        coin = subscription.get("coin")
        if subscription.get("type") != "trades" or coin not in self.market.coins:
            socket.answer({"channel": "error", "data": f"Invalid subscription {text}"})
        elif method == "subscribe":
            self._subscribe(socket, coin, message)
        elif coin in socket.coins:
            socket.coins.discard(coin)
            socket.answer({"channel": "subscriptionResponse", "data": message})
        else:
            socket.answer({"channel": "error", "data": f"Already unsubscribed: {text}"})

    def _subscribe(self, socket: Socket, coin: str, message: dict[str, Any]) -> None:
        if coin in socket.coins:
            socket.answer({"channel": "error", "data": f"Already subscribed: {json.dumps(message)}"})
            return
        if sum(len(one.coins) for one in self.sockets) >= _SUBSCRIPTIONS:
            socket.answer({"channel": "error", "data": "Cannot track more than 1000 subscriptions."})
            return
        socket.coins.add(coin)
        socket.answer({"channel": "subscriptionResponse", "data": message})
        replayed = self.market.replay(coin)
        if replayed is not None:
            self._replay(socket, replayed)

    def _replay(self, socket: Socket, frame: Frame) -> None:
        socket.send(frame.payload)

    async def info(self, request: web.Request) -> web.Response:
        query = await request.json()
        if query["type"] == "meta":
            names = [*self.market.coins, UNWATCHED]
            return web.json_response(
                {"universe": [{"name": name, "szDecimals": 5, "maxLeverage": 20} for name in names]}
            )
        if query["type"] == "allMids":
            return web.json_response(
                {name: f"{coin.price:.{coin.decimals}f}" for name, coin in self.market.coins.items()}
            )
        if query["type"] == "candleSnapshot":
            wanted = query["req"]
            return web.json_response(
                self._candles.snapshot(wanted["coin"], wanted["interval"], wanted["startTime"], wanted["endTime"])
            )
        return web.Response(status=422, text="Failed to deserialize the JSON body into the target type")

    async def status(self, _: web.Request) -> web.Response:
        self._tape.flush()
        return web.json_response(
            {
                "emitted": self.market.emitted,
                "done": self.done,
                "subscribed": len({coin for socket in self.sockets for coin in socket.coins}),
                "sockets": len(self.sockets),
                "waiting": sum(socket.waiting for socket in self.sockets),
                "started_ms": self.started_ms,
                "expected": dict(self.market.expected),
                "marked": [[coin, minute, count] for (coin, minute), count in self.market.marked.items()],
                "accidents": dict(self.accidents),
            }
        )

    async def begin(self, _: web.Request) -> web.Response:
        self._playing.set()
        self._keep(asyncio.create_task(self.play()))
        return web.json_response({})

    async def pause(self, _: web.Request) -> web.Response:
        """Send no more trades until `resume`."""
        self._playing.clear()
        return web.json_response({})

    async def resume(self, _: web.Request) -> web.Response:
        self._playing.set()
        return web.json_response({})

    async def archive(self, request: web.Request) -> web.Response:
        """Write the tape as the venue's archive does, an hour a file."""
        wanted = await request.json()
        for hour, trades in self._hours.items():
            at = datetime.fromtimestamp(hour * _HOUR_MS / 1000, UTC)
            path = Path(wanted["folder"]) / wanted["dataset"] / "hourly" / f"{at:%Y%m%d}" / f"{at.hour}.lz4"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = (line for trade in sorted(trades) for line in _archived(wanted["dataset"], trade))
            path.write_bytes(lz4.frame.compress("".join(f"{line}\n" for line in lines).encode()))
        return web.json_response({"hours": len(self._hours)})


def _archived(dataset: str, trade: Trade) -> list[str]:
    orders = (trade.tid * 2 + 1, trade.tid * 2)
    if dataset == "node_trades":
        at = datetime.fromtimestamp(trade.time // 1000, UTC).replace(microsecond=trade.time % 1000 * 1000)
        parties = [
            {"user": f"0x{oid:040x}", "start_pos": "0.0", "oid": oid, "twap_id": None, "cloid": None} for oid in orders
        ]
        record = {
            "coin": trade.coin, "side": trade.side, "time": at.replace(tzinfo=None).isoformat(timespec="milliseconds"),
            "px": trade.px, "sz": trade.sz, "hash": trade.hash, "trade_dir_override": "Na", "side_info": parties,
        }  # fmt: skip
        return [json.dumps(record)]
    return [
        json.dumps(
            [
                f"0x{oid:040x}",
                {
                    "coin": trade.coin, "px": trade.px, "sz": trade.sz, "side": side, "time": trade.time,
                    "startPosition": "0.0", "dir": "Open Long", "closedPnl": "0.0", "hash": trade.hash, "oid": oid,
                    "crossed": side == trade.side, "fee": "0.0", "tid": trade.tid, "feeToken": "USDC",
                },
            ]
        )
        for oid, side in zip(orders, "BA", strict=True)
    ]  # fmt: skip


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _no_tokens(request: web.Request) -> web.Response:
    """Jupiter knows no token here: its prices have proofs of their own."""
    return web.json_response([] if request.path.startswith("/tokens") else {})


async def serve(job: str, kind: type[Venue] = Venue) -> None:
    """Serve until standard input ends."""
    venue = kind(msgspec.json.decode(job, type=Job))
    app = web.Application()
    app.add_routes(venue.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    # Its standard input ends with the process that has started it.
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    # Looking through millions of trades for cycles would stop the venue for longer than a client waits.
    gc.disable()
    asyncio.run(serve(sys.argv[1]))
