"""The WebSocket as a plain client sees it, with time that stands still until the test steps it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.orders import OrderSpec, Tif
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.trades import Trade
from tests.strandline_sim.hyperliquid.things import ALICE, BOB, START, venue

TRADES = {"type": "trades", "coin": "BTC"}
Test = Callable[["Line"], Awaitable[None]]


class Line:
    """A connection, and the venue behind it."""

    def __init__(self, one: HyperliquidVenue, clock: SteppedClock, url: str, socket: ClientConnection) -> None:
        self.venue = one
        self.clock = clock
        self.url = url
        self.socket = socket

    async def send(self, message: Any) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.socket.recv())

    async def subscribe(self, **subscription: Any) -> Any:
        await self.send({"method": "subscribe", "subscription": subscription})
        answer = await self.hear()
        assert answer["channel"] == "subscriptionResponse", answer
        return answer["data"]["subscription"]

    async def nothing_more(self) -> None:
        await self.send({"method": "ping"})
        assert await self.hear() == {"channel": "pong"}

    def trades(self, seconds: float) -> list[Trade]:
        end = self.clock.now()
        return list(self.venue.exchange.market.trades("BTC", end - int(seconds * 1000), end))


@asynccontextmanager
async def line(limits: Limits | None = None, faults: Faults | None = None) -> AsyncIterator[Line]:
    clock = SteppedClock(START)
    one, _ = venue(clock=clock, limits=limits, faults=faults)
    url = (await one.start()).replace("http", "ws") + "/ws"
    try:
        async with connect(url, proxy=None) as socket:
            yield Line(one, clock, url, socket)
    finally:
        await one.stop()


def on_a_line(limits: Limits | None = None, faults: Faults | None = None) -> Callable[[Test], Callable[[], None]]:
    """Run the test with a line of its own."""

    def wrap(test: Test) -> Callable[[], None]:
        def run() -> None:
            async def inside() -> None:
                async with line(limits, faults) as one:
                    await test(one)

            asyncio.run(inside())

        return run

    return wrap


def tids(frame: Any) -> list[int]:
    return [trade["tid"] for trade in frame["data"]]


@on_a_line()
async def test_trades_are_replayed_and_go_on_without_a_gap(one: Line) -> None:
    assert await one.subscribe(**TRADES) == TRADES
    replay = await one.hear()
    assert len(replay["data"]) == 30
    heard = tids(replay)
    for _ in range(20):
        await one.clock.step(5000)
    expected = one.trades(100)
    while len(heard) < 30 + len(expected):
        frame = await one.hear()
        assert set(frame["data"][0]) == {"coin", "side", "px", "sz", "time", "hash", "tid", "users"}
        heard += tids(frame)
    assert heard[30:] == [trade.id for trade in expected]
    await one.nothing_more()


@on_a_line()
async def test_what_is_answered_with_an_error(one: Line) -> None:
    await one.subscribe(type="bbo", coin="ETH")
    assert (await one.hear())["channel"] == "bbo"
    bbo = json.dumps({"type": "bbo", "coin": "ETH"}, separators=(",", ":"))
    gone = json.dumps({"type": "bbo", "coin": "GONE"}, separators=(",", ":"))
    for message, error in (
        ({"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}}, f"Already subscribed: {bbo}"),
        ({"method": "subscribe", "subscription": {"type": "bbo", "coin": "GONE"}}, f"Invalid subscription {gone}"),
        ({"method": "dance"}, 'Error parsing JSON into valid websocket request: {"method": "dance"}'),
        ("{", "Error parsing JSON into valid websocket request: {"),
    ):
        await one.send(message)
        assert await one.hear() == {"channel": "error", "data": error}
    for answer in ("subscriptionResponse", "error"):
        await one.send({"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "ETH"}})
        assert (await one.hear())["channel"] == answer
    await one.clock.step(10_000)
    await one.nothing_more()


@on_a_line()
async def test_candles_end_as_they_are_in_history(one: Line) -> None:
    await one.subscribe(type="candle", coin="BTC", interval="1m")
    frames = []
    for _ in range(6):
        await one.clock.step(25_000)
    await one.send({"method": "ping"})
    while (frame := await one.hear())["channel"] != "pong":
        frames.append(frame["data"])
    by_start = {frame["t"]: frame for frame in frames}
    assert [frame["t"] for frame in frames] == sorted(frame["t"] for frame in frames)
    for start in sorted(by_start)[:-1]:
        (candle,) = one.venue.exchange.market.candles("BTC", 60_000, start, start + 1)
        assert Decimal(by_start[start]["c"]) == candle.close
        assert Decimal(by_start[start]["v"]) == candle.volume
        assert by_start[start]["n"] == candle.trades


@on_a_line()
async def test_books_and_contexts(one: Line) -> None:
    for subscription, channel in (
        ({"type": "l2Book", "coin": "BTC"}, "l2Book"),
        ({"type": "l2Book", "coin": "BTC", "nSigFigs": 3}, "l2Book"),
        ({"type": "l2Book", "coin": "BTC", "fast": True}, "l2Book"),
        ({"type": "allMids"}, "allMids"),
        ({"type": "activeAssetCtx", "coin": "SOL"}, "activeAssetCtx"),
    ):
        echo = await one.subscribe(**subscription)
        assert subscription.items() <= echo.items()
        frame = await one.hear()
        assert frame["channel"] == channel
        if channel == "l2Book":
            bids, asks = frame["data"]["levels"]
            assert len(bids) <= (5 if subscription.get("fast") else 20)
            assert all(float(left["px"]) > float(right["px"]) for left, right in pairwise(bids))
            assert all(float(left["px"]) < float(right["px"]) for left, right in pairwise(asks))
    await one.clock.step(1000)
    assert (await one.hear())["channel"] in {"l2Book", "allMids", "activeAssetCtx"}


@on_a_line()
async def test_what_happens_to_an_account(one: Line) -> None:
    for kind in ("userFills", "orderUpdates", "userEvents", "userFundings"):
        await one.subscribe(type=kind, user=ALICE.address)
        if kind in {"userFills", "userFundings"}:
            assert (await one.hear())["data"]["isSnapshot"] is True
    account = one.venue.exchange.account(ALICE.address.lower())
    assert account is not None
    px = Decimal(int(one.venue.exchange.mark("BTC") * Decimal("1.01")))
    one.venue.exchange.place(account, [OrderSpec(0, True, px, Decimal("0.001"), tif=Tif.IOC)])
    one.venue.advance()
    heard = {(frame := await one.hear())["channel"]: frame["data"] for _ in range(3)}
    assert [update["status"] for update in heard["orderUpdates"]] == ["open", "filled"]
    assert heard["userFills"]["fills"] == heard["user"]["fills"]
    assert "isSnapshot" not in heard["userFills"]
    await one.clock.step(500)
    heard = {(frame := await one.hear())["channel"]: frame["data"] for _ in range(2)}
    assert heard["userFundings"]["fundings"] == [heard["user"]["funding"]]


@on_a_line()
async def test_post(one: Line) -> None:
    await one.send({"method": "post", "id": 7, "request": {"type": "info", "payload": {"type": "allMids"}}})
    answer = (await one.hear())["data"]
    assert (answer["id"], answer["response"]["type"], answer["response"]["payload"]["type"]) == (7, "info", "allMids")
    assert "BTC" in answer["response"]["payload"]["data"]
    await one.send({"method": "post", "id": 8, "request": {"type": "action", "payload": {"action": {}}}})
    answer = (await one.hear())["data"]
    assert (answer["id"], answer["response"]["type"]) == (8, "error")
    assert answer["response"]["payload"].startswith("422 ")


@on_a_line(Limits(idle_ms=60_000))
async def test_an_idle_connection_is_closed_unless_it_pings(one: Line) -> None:
    await one.clock.step(59_000)
    await one.nothing_more()
    await one.clock.step(59_000)
    await one.nothing_more()
    await one.clock.step(60_500)
    with pytest.raises(ConnectionClosed):
        await one.hear()


@on_a_line(Limits(sockets=2, subscriptions=2, users=1, messages_per_minute=6, idle_ms=None))
async def test_limits(one: Line) -> None:
    async with connect(one.url, proxy=None):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(one.url, proxy=None):
                pass
        assert refused.value.response.status_code == 429
    await one.subscribe(type="orderUpdates", user=ALICE.address)
    await one.send({"method": "subscribe", "subscription": {"type": "orderUpdates", "user": BOB.address}})
    assert (await one.hear())["data"] == "Cannot track more than 1 total users."
    await one.subscribe(type="userEvents", user=ALICE.address)
    await one.send({"method": "subscribe", "subscription": TRADES})
    assert (await one.hear())["data"] == "Cannot track more than 2 total subscriptions."
    for _ in range(2):
        await one.nothing_more()
    await one.send({"method": "ping"})
    assert (await one.hear())["channel"] == "error"
    await one.clock.step(60_001)
    await one.nothing_more()


async def frames_under(rule: Rule, steps: int = 6) -> tuple[list[str], list[int], list[int]]:
    """The raw trade frames, their trade ids, and the ids there truly were."""
    faults = Faults()
    async with line(faults=faults) as one:
        await one.subscribe(**TRADES)
        await one.hear()
        faults.add(rule)
        raw: list[str] = []
        for _ in range(steps):
            await one.clock.step(20_000)
        truth = [trade.id for trade in one.trades(20 * steps)]
        await one.send({"method": "ping"})
        while (frame := await asyncio.wait_for(one.socket.recv(), 5)) != '{"channel":"pong"}':
            assert isinstance(frame, str)
            raw.append(frame)
        heard = []
        for frame in raw:
            try:
                heard += tids(json.loads(frame))
            except json.JSONDecodeError:
                heard.append(-1)
        assert [injected.kind for injected in faults.journal] == [rule.kind]
        return raw, heard, truth


@pytest.mark.parametrize("kind", ["answer_twice", "replay", "reorder", "malformed", "drop_answer"])
def test_faults_of_frames(kind: str) -> None:
    rule = Rule(route="hyperliquid/ws/trades", kind=FaultKind(kind), after=1)
    raw, heard, truth = asyncio.run(frames_under(rule))
    if kind in {"answer_twice", "replay"}:
        assert len(heard) > len(truth)
        assert sorted(set(heard)) == truth
        assert len(set(raw)) == len(raw) - 1
    elif kind == "reorder":
        assert sorted(heard) == truth
        assert heard != truth
    else:
        assert set(heard) - {-1} < set(truth)
        assert (-1 in heard) is (kind == "malformed")


def test_a_frame_that_lags_comes_later_and_in_order() -> None:
    async def inside() -> None:
        faults = Faults([Rule(route="hyperliquid/ws/trades", kind=FaultKind.LAG, value=30_000)])
        async with line(faults=faults) as one:
            await one.subscribe(**TRADES)
            await one.hear()
            await one.clock.step(20_000)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.socket.recv(), 0.1)
            await one.clock.step(30_000)
            heard: list[int] = []
            expected = [trade.id for trade in one.trades(50)]
            while len(heard) < len(expected):
                heard += tids(await one.hear())
            assert heard == expected

    asyncio.run(inside())


def test_a_connection_that_is_cut() -> None:
    async def inside() -> None:
        faults = Faults([Rule(route="hyperliquid/ws/*", kind=FaultKind.DISCONNECT, after=1)])
        async with line(faults=faults) as one:
            await one.subscribe(**TRADES)
            for _ in range(6):
                await one.clock.step(20_000)
            with pytest.raises(ConnectionClosed):
                while True:
                    await one.hear()
            async with connect(one.url, proxy=None) as socket:
                again = Line(one.venue, one.clock, one.url, socket)
                await again.subscribe(**TRADES)
                assert len((await again.hear())["data"]) == 30

    asyncio.run(inside())
