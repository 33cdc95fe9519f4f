"""The WebSocket protocol with a plain client and a stepped clock."""

import asyncio
import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.orders import OrderSpec, Tif
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, BOB
from tests.strandline_sim.hyperliquid.stream_client import TRADES, Connection, connected, with_connection


def tids(frame: Any) -> list[int]:
    return [trade["tid"] for trade in frame["data"]]


@with_connection()
async def test_trades_are_replayed_and_go_on_without_a_gap(connection: Connection) -> None:
    assert await connection.subscribe(**TRADES) == TRADES
    replay = await connection.receive()
    assert len(replay["data"]) == 30
    received = tids(replay)
    for _ in range(20):
        await connection.clock.step(5000)
    expected = connection.trades(100)
    while len(received) < 30 + len(expected):
        frame = await connection.receive()
        assert set(frame["data"][0]) == {"coin", "side", "px", "sz", "time", "hash", "tid", "users"}
        received += tids(frame)
    assert received[30:] == [trade.id for trade in expected]
    await connection.expect_no_message()


@with_connection()
async def test_invalid_messages_get_an_error(connection: Connection) -> None:
    await connection.subscribe(type="bbo", coin="ETH")
    assert (await connection.receive())["channel"] == "bbo"
    bbo = json.dumps({"type": "bbo", "coin": "ETH"}, separators=(",", ":"))
    gone = json.dumps({"type": "bbo", "coin": "GONE"}, separators=(",", ":"))
    for message, error in (
        ({"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}}, f"Already subscribed: {bbo}"),
        ({"method": "subscribe", "subscription": {"type": "bbo", "coin": "GONE"}}, f"Invalid subscription {gone}"),
        ({"method": "dance"}, 'Error parsing JSON into valid websocket request: {"method": "dance"}'),
        ("{", "Error parsing JSON into valid websocket request: {"),
    ):
        await connection.send(message)
        assert await connection.receive() == {"channel": "error", "data": error}
    for answer in ("subscriptionResponse", "error"):
        await connection.send({"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "ETH"}})
        assert (await connection.receive())["channel"] == answer
    await connection.clock.step(10_000)
    await connection.expect_no_message()


@with_connection()
async def test_closed_candles_equal_those_of_history(connection: Connection) -> None:
    await connection.subscribe(type="candle", coin="BTC", interval="1m")
    frames = []
    for _ in range(6):
        await connection.clock.step(25_000)
    await connection.send({"method": "ping"})
    while (frame := await connection.receive())["channel"] != "pong":
        frames.append(frame["data"])
    by_start = {frame["t"]: frame for frame in frames}
    assert [frame["t"] for frame in frames] == sorted(frame["t"] for frame in frames)
    for start in sorted(by_start)[:-1]:
        (candle,) = connection.venue.exchange.market.candles("BTC", 60_000, start, start + 1)
        assert Decimal(by_start[start]["c"]) == candle.close
        assert Decimal(by_start[start]["v"]) == candle.volume
        assert by_start[start]["n"] == candle.trades


@with_connection()
async def test_books_and_contexts(connection: Connection) -> None:
    for subscription, channel in (
        ({"type": "l2Book", "coin": "BTC"}, "l2Book"),
        ({"type": "l2Book", "coin": "BTC", "nSigFigs": 3}, "l2Book"),
        ({"type": "l2Book", "coin": "BTC", "fast": True}, "l2Book"),
        ({"type": "allMids"}, "allMids"),
        ({"type": "activeAssetCtx", "coin": "SOL"}, "activeAssetCtx"),
    ):
        echo = await connection.subscribe(**subscription)
        assert subscription.items() <= echo.items()
        frame = await connection.receive()
        assert frame["channel"] == channel
        if channel == "l2Book":
            bids, asks = frame["data"]["levels"]
            assert len(bids) <= (5 if subscription.get("fast") else 20)
            assert all(float(left["px"]) > float(right["px"]) for left, right in pairwise(bids))
            assert all(float(left["px"]) < float(right["px"]) for left, right in pairwise(asks))
    await connection.clock.step(1000)
    assert (await connection.receive())["channel"] in {"l2Book", "allMids", "activeAssetCtx"}


@with_connection()
async def test_no_update_repeats_the_state_before_it(connection: Connection) -> None:
    kinds = {"candle": {"interval": "1m"}, "bbo": {}, "activeAssetCtx": {}, "allMids": {}}
    for kind, more in kinds.items():
        coin = {} if kind == "allMids" else {"coin": "BTC"}
        await connection.send({"method": "subscribe", "subscription": {"type": kind, **coin, **more}})
    frames = []
    for _ in range(40):
        frames += await connection.frames()
        await connection.clock.step(500)
    for kind in kinds:
        states = [frame["data"] | {"time": None} for frame in frames if frame["channel"] == kind]
        assert len(states) > 3
        assert all(one != other for one, other in pairwise(states))


@with_connection()
async def test_feeds_of_an_account(connection: Connection) -> None:
    for kind in ("userFills", "orderUpdates", "userEvents", "userFundings"):
        await connection.subscribe(type=kind, user=ALICE.address)
        if kind in {"userFills", "userFundings"}:
            assert (await connection.receive())["data"]["isSnapshot"] is True
    account = connection.venue.exchange.account(ALICE.address.lower())
    assert account is not None
    px = Decimal(int(connection.venue.exchange.mark("BTC") * Decimal("1.01")))
    connection.venue.exchange.place(account, [OrderSpec(0, True, px, Decimal("0.001"), tif=Tif.IOC)])
    connection.venue.advance()
    received = {(frame := await connection.receive())["channel"]: frame["data"] for _ in range(3)}
    assert [update["status"] for update in received["orderUpdates"]] == ["open", "filled"]
    assert received["userFills"]["fills"] == received["user"]["fills"]
    assert "isSnapshot" not in received["userFills"]
    await connection.clock.step(500)
    received = {(frame := await connection.receive())["channel"]: frame["data"] for _ in range(2)}
    assert received["userFundings"]["fundings"] == [received["user"]["funding"]]


@with_connection()
async def test_post(connection: Connection) -> None:
    await connection.send({"method": "post", "id": 7, "request": {"type": "info", "payload": {"type": "allMids"}}})
    answer = (await connection.receive())["data"]
    assert (answer["id"], answer["response"]["type"], answer["response"]["payload"]["type"]) == (7, "info", "allMids")
    assert "BTC" in answer["response"]["payload"]["data"]


@with_connection()
async def test_a_malformed_post_is_echoed_on_the_channel_of_errors(connection: Connection) -> None:
    for request in (
        {"type": "action", "payload": {"action": {}}},
        {"type": "info", "payload": {"type": "unheardOf"}},
        {"type": "info", "payload": None},
        {"type": "other", "payload": {}},
    ):
        sent = {"method": "post", "id": 8, "request": request}
        await connection.send(sent)
        answer = await connection.receive()
        assert answer["channel"] == "error"
        message, _, echo = answer["data"].partition(": ")
        assert (message, json.loads(echo)) == ("Error parsing JSON into valid websocket request", sent)


@with_connection(Limits(idle_ms=60_000))
async def test_an_idle_connection_is_closed_unless_it_pings(connection: Connection) -> None:
    await connection.clock.step(59_000)
    await connection.expect_no_message()
    await connection.clock.step(59_000)
    await connection.expect_no_message()
    await connection.clock.step(60_500)
    with pytest.raises(ConnectionClosed):
        await connection.receive()


@with_connection(Limits(sockets=2, subscriptions=2, users=1, messages_per_minute=6, idle_ms=None))
async def test_limits(connection: Connection) -> None:
    async with connect(connection.url, proxy=None):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(connection.url, proxy=None):
                pass
        assert refused.value.response.status_code == 429
    await connection.subscribe(type="orderUpdates", user=ALICE.address)
    await connection.send({"method": "subscribe", "subscription": {"type": "orderUpdates", "user": BOB.address}})
    assert (await connection.receive())["data"] == "Cannot track more than 1 total users."
    await connection.subscribe(type="userEvents", user=ALICE.address)
    await connection.send({"method": "subscribe", "subscription": TRADES})
    assert (await connection.receive())["data"] == "Cannot track more than 2 total subscriptions."
    for _ in range(2):
        await connection.expect_no_message()
    await connection.send({"method": "ping"})
    assert (await connection.receive())["channel"] == "error"
    await connection.clock.step(60_001)
    await connection.expect_no_message()


async def frames_with_fault(rule: Rule, steps: int = 6) -> tuple[list[str], list[int], list[int]]:
    """Return the raw trade frames, their trade ids, and those of the market."""
    faults = Faults()
    async with connected(faults=faults) as connection:
        await connection.subscribe(**TRADES)
        await connection.receive()
        faults.add(rule)
        raw: list[str] = []
        for _ in range(steps):
            await connection.clock.step(20_000)
        expected = [trade.id for trade in connection.trades(20 * steps)]
        await connection.send({"method": "ping"})
        while (frame := await asyncio.wait_for(connection.socket.recv(), 5)) != '{"channel":"pong"}':
            assert isinstance(frame, str)
            raw.append(frame)
        received = []
        for frame in raw:
            try:
                received += tids(json.loads(frame))
            except json.JSONDecodeError:
                received.append(-1)
        assert [injected.kind for injected in faults.journal] == [rule.kind]
        return raw, received, expected


@pytest.mark.parametrize("kind", ["answer_twice", "replay", "reorder", "malformed", "drop_answer"])
def test_faults_of_frames(kind: str) -> None:
    rule = Rule(route="hyperliquid/ws/trades", kind=FaultKind(kind), after=1)
    raw, received, expected = asyncio.run(frames_with_fault(rule))
    if kind in {"answer_twice", "replay"}:
        assert len(received) > len(expected)
        assert sorted(set(received)) == expected
        assert len(set(raw)) == len(raw) - 1
    elif kind == "reorder":
        assert sorted(received) == expected
        assert received != expected
    else:
        assert set(received) - {-1} < set(expected)
        assert (-1 in received) is (kind == "malformed")


def test_lagging_frames_stay_in_order() -> None:
    async def inside() -> None:
        faults = Faults([Rule(route="hyperliquid/ws/trades", kind=FaultKind.LAG, value=30_000)])
        async with connected(faults=faults) as connection:
            await connection.subscribe(**TRADES)
            await connection.receive()
            await connection.clock.step(20_000)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.socket.recv(), 0.1)
            await connection.clock.step(30_000)
            received: list[int] = []
            expected = [trade.id for trade in connection.trades(50)]
            while len(received) < len(expected):
                received += tids(await connection.receive())
            assert received == expected

    asyncio.run(inside())


def test_a_cut_connection() -> None:
    async def inside() -> None:
        faults = Faults([Rule(route="hyperliquid/ws/*", kind=FaultKind.DISCONNECT, after=1)])
        async with connected(faults=faults) as connection:
            await connection.subscribe(**TRADES)
            for _ in range(6):
                await connection.clock.step(20_000)
            with pytest.raises(ConnectionClosed):
                while True:
                    await connection.receive()
            async with connect(connection.url, proxy=None) as socket:
                again = Connection(connection.venue, connection.clock, connection.url, socket)
                await again.subscribe(**TRADES)
                assert len((await again.receive())["data"]) == 30

    asyncio.run(inside())
