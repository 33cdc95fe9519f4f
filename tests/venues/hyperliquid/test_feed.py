"""The feed on a scripted socket."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from strandline.model.instants import microseconds
from strandline.venues.feed import FeedStatus
from strandline.venues.hyperliquid import feed as feed_module
from strandline.venues.hyperliquid import limits, trade_socket, trade_stream
from strandline.venues.hyperliquid.limits import (
    CONNECTION_LIMIT,
    FEED_LIMITS,
    MAX_SOCKETS,
    MAX_SUBSCRIPTIONS,
    ping_interval,
    socket_count,
)
from tests.venues.hyperliquid.scripted_socket import (
    PONG,
    T0,
    ConnectedFeed,
    acknowledged,
    connected_feed,
    trades,
    until,
)

BTC, ETH, SOL = {"BTC": 1}, {"ETH": 2}, {"SOL": 3}


def run(scenario: Callable[[ConnectedFeed], Awaitable[None]]) -> None:
    """Run a scenario on a connected feed."""

    async def connect() -> None:
        async with connected_feed() as connected:
            await scenario(connected)

    asyncio.run(connect())


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""

    def pauses() -> Any:
        while True:
            yield 0.01

    monkeypatch.setattr(trade_stream, "pauses", pauses)


def test_trades_become_ticks() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        await connected.server.send(trades(7, 8))
        await connected.server.send(trades(9, side="A", time=1_772_323_200_123, px="0.0000123", sz="7"))
        await until(lambda: len(connected.sink.rows) == 3)
        ts = microseconds(datetime(2026, 3, 1, tzinfo=UTC))
        assert connected.sink.rows == [
            (ts, 1, 7, 100.5, 0.25, b"b", b"t", b"s"),
            (ts, 1, 8, 100.5, 0.25, b"b", b"t", b"s"),
            (ts + 123_000, 1, 9, 0.0000123, 7.0, b"s", b"t", b"s"),
        ]
        assert not connected.sink.refused

    run(scenario)


def test_only_differences_are_subscribed_and_unsubscribed() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC | ETH)
        await until(lambda: len(connected.server.subscriptions) == 2)
        await until(lambda: connected.feed.status.connected)
        connected.feed.subscribe(ETH | BTC)
        connected.feed.subscribe(ETH | SOL)
        await until(lambda: len(connected.server.subscriptions) == 4)
        assert connected.server.subscriptions == [
            ("subscribe", "BTC"),
            ("subscribe", "ETH"),
            ("unsubscribe", "BTC"),
            ("subscribe", "SOL"),
        ]
        await connected.server.connections[-1].close()
        await until(lambda: len(connected.server.subscriptions) == 6)
        assert connected.server.subscriptions[4:] == [("subscribe", "ETH"), ("subscribe", "SOL")]

    run(scenario)


def test_subscriptions_stay_within_the_venues_limit() -> None:
    """What is streamed already stays; the others go by name, and the prices of the rest are polled."""

    async def scenario(connected: ConnectedFeed) -> None:
        coins = {f"C{number:04}": number for number in range(1, 1003)}
        connected.feed.subscribe({"C1002": 1002})
        connected.feed.subscribe(coins)
        await until(lambda: len(connected.server.subscriptions) == 1000)
        assert ("subscribe", "C1002") in connected.server.subscriptions
        assert connected.feed._long_unstreamed() == {"C1000": 1000, "C1001": 1001}

    run(scenario)


def test_after_an_outage_the_watermark_waits_for_the_replay() -> None:
    """The venue acknowledges, replays, then responds to the ping: before that trades may be missing."""

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        await connected.server.send(trades(1))
        await until(lambda: len(connected.sink.rows) == 1)
        assert connected.feed.received_through == connected.now
        down_at = connected.now
        connected.advance(60)
        connected.server.responses = lambda message: [] if message["method"] == "ping" else [acknowledged(message)]
        await connected.server.connections[-1].close()
        await until(
            lambda: connected.server.messages[-1] == {"method": "ping"} and len(connected.server.subscriptions) == 2
        )
        await connected.server.send(trades(2))
        await until(lambda: len(connected.sink.rows) == 2)
        assert connected.feed.received_through == down_at
        assert connected.feed.status._replace(messages=0) == FeedStatus(False, 1, 0, reconnects=1)
        await connected.server.send(PONG)
        await until(lambda: connected.feed.received_through == connected.now)
        assert connected.feed.status._replace(messages=0) == FeedStatus(True, 1, 0, reconnects=1)

    run(scenario)


def test_a_pong_from_before_the_acknowledgement_does_not_end_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the pong to the ping after the acknowledgements comes after the replay."""
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 60)  # no ping but the one after the acknowledgement

    async def scenario(connected: ConnectedFeed) -> None:
        connected.server.responses = lambda message: [PONG] if message["method"] == "ping" else []
        connected.feed.subscribe(BTC)
        await until(lambda: connected.server.subscriptions == [("subscribe", "BTC")])
        connected.server.responses = lambda _: []
        await connected.server.send(PONG)
        await connected.server.send(trades(1))
        await until(lambda: len(connected.sink.rows) == 1)
        assert not connected.feed.status.connected
        before = len(connected.server.messages)
        await connected.server.send(acknowledged(connected.server.messages[-1]))
        await until(lambda: connected.server.messages[before:] == [{"method": "ping"}])
        await connected.server.send(trades(2))
        await until(lambda: len(connected.sink.rows) == 2)
        assert not connected.feed.status.connected
        await connected.server.send(PONG)
        await until(lambda: connected.feed.status.connected)

    run(scenario)


def test_a_quiet_market_does_not_hold_the_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        late = connected.advance(5)
        await until(lambda: connected.feed.received_through == late)
        assert len(connected.server.connections) == 1

    run(scenario)


def test_a_frame_after_a_stall_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait behind it: only a pong comes after all of them, and proves no more than when its ping was sent."""
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        connected.server.responses = lambda _: []
        answered = len(connected.server.messages)
        await until(lambda: len(connected.server.messages) > answered)
        late = connected.advance(9)
        await connected.server.send(trades(1, 2))
        await until(lambda: len(connected.sink.rows) == 2)
        assert connected.feed.received_through == T0
        answered = len(connected.server.messages)
        await connected.server.send(PONG)
        await until(lambda: len(connected.server.messages) > answered)
        assert connected.feed.received_through == T0
        await connected.server.send(PONG)
        await until(lambda: connected.feed.received_through == late)

    run(scenario)


def test_a_busy_market_does_not_hold_the_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        late = connected.advance(5)
        for number in range(1000):
            await connected.server.send(trades(number))
            await asyncio.sleep(0.001)
            if connected.feed.received_through == late:
                return
        pytest.fail("no pong among a thousand frames")

    run(scenario)


def test_a_venue_that_answers_no_ping_is_connected_to_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)
    monkeypatch.setattr(trade_socket, "_ANSWER_SECONDS", 0.2)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        connected.server.responses = lambda message: [] if message["method"] == "ping" else [acknowledged(message)]
        number = 0
        while len(connected.server.connections) == 1:
            number += 1
            with contextlib.suppress(ConnectionClosed):
                await connected.server.send(trades(number))
            await asyncio.sleep(0.005)
            assert number < 2000

    run(scenario)


def test_nothing_is_proved_before_anybody_said_what_to_stream() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        await until(lambda: {"method": "ping"} in connected.server.messages)
        await asyncio.sleep(0.05)
        assert connected.feed.received_through is None
        connected.feed.subscribe({})
        await until(lambda: connected.feed.received_through == T0)

    run(scenario)


def test_a_confirmation_that_is_sent_twice_confirms_one_coin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_ANSWER_SECONDS", 0.3)

    def responses(message: dict[str, Any]) -> list[Any]:
        if message["method"] == "ping":
            return [PONG]
        return [acknowledged(message)] * 2 if message["subscription"]["coin"] == "BTC" else []

    async def scenario(connected: ConnectedFeed) -> None:
        connected.server.responses = responses
        connected.feed.subscribe(BTC | ETH)
        await until(lambda: len(connected.server.connections) > 1)
        assert connected.feed.received_through is None

    run(scenario)


def test_a_frame_that_is_too_large_is_refused_unread_and_counted() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        before = connected.feed.streamed_since[1]
        connected.advance(1)
        await connected.server.send(trades(1, hash="0" * 2**21))
        await until(lambda: len(connected.server.connections) == 2)
        await until(lambda: connected.feed.status.connected)
        assert connected.feed.status.oversized == 1
        assert connected.feed.streamed_since[1] > before
        assert connected.sink.rows == []
        assert connected.sink.refused == []

    run(scenario)


def test_a_silent_connection_is_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)
    monkeypatch.setattr(trade_socket, "_SILENT_SECONDS", 0.2)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        connected.advance(60)
        connected.server.responses = lambda _: []
        await until(lambda: len(connected.server.connections) > 1)
        assert connected.feed.received_through == T0

    run(scenario)


def test_a_subscription_without_a_response_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_ANSWER_SECONDS", 0.1)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.server.responses = lambda message: [PONG] if message["method"] == "ping" else []
        connected.feed.subscribe(BTC)
        await until(lambda: len(connected.server.connections) > 2)
        assert connected.feed.received_through is None

    run(scenario)


def recorded_pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the pauses short, and record how many were taken in a row before each connection."""
    taken: list[int] = []

    def pauses() -> Any:
        for number in count(1):
            taken.append(number)
            yield 0.01

    monkeypatch.setattr(trade_stream, "pauses", pauses)
    return taken


def test_the_pauses_do_not_grow_over_connections_that_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = recorded_pauses(monkeypatch)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        for drops in range(5):
            await until(lambda: connected.feed.status.connected)
            assert taken == [1] * drops
            await connected.server.connections[-1].close()
            await until(lambda drops=drops: len(taken) == drops + 1)  # type: ignore[misc]

    run(scenario)


def test_the_pauses_grow_while_the_server_accepts_connections_and_drops_them(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = recorded_pauses(monkeypatch)

    async def scenario(connected: ConnectedFeed) -> None:
        def drop(_: dict[str, Any]) -> list[Any]:
            connected.server.connections[-1].transport.abort()
            return []

        connected.server.responses = drop
        connected.feed.subscribe(BTC)
        await until(lambda: len(taken) == 4)
        assert taken == [1, 2, 3, 4]

    run(scenario)


SIX = {f"C{number}": number for number in range(6)}


@pytest.fixture
def two_coins_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COINS_PER_SOCKET", 2)
    monkeypatch.setattr(trade_socket, "_PING_SECONDS", 0.02)
    monkeypatch.setattr(limits, "_PINGS_PER_SECOND", 400.0)


@pytest.mark.usefixtures("two_coins_a_socket")
def test_coins_are_spread_over_sockets_and_stay_where_they_are() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        server = connected.server
        connected.feed.subscribe(SIX)
        await until(lambda: connected.feed.status.connected)
        first = server.coins_by_connection()
        assert len(first) == 3
        assert sorted(coin for coins in first for coin in coins) == sorted(SIX)
        assert connected.feed.streamed_since.keys() == set(SIX.values())
        connected.feed.subscribe(SIX | {"C6": 6, "C7": 7})
        await until(lambda: len(server.subscriptions) == 8)
        await until(lambda: connected.feed.status.connected)
        assert all(coins <= more for coins, more in zip(first, server.coins_by_connection(), strict=False))
        assert connected.feed.status.subscribed == 8
        assert "unsubscribe" not in {method for method, _ in server.subscriptions}

    run(scenario)


@pytest.mark.usefixtures("two_coins_a_socket")
def test_a_lost_socket_interrupts_its_coins_only_and_holds_the_watermark() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(SIX)
        await until(lambda: connected.feed.status.connected)
        lost = {SIX[coin] for coin in connected.server.coins_by_connection()[0]}
        before = dict(connected.feed.streamed_since)
        down_at = connected.advance(1)
        await until(lambda: connected.feed.received_through == down_at)
        connected.server.responses = lambda message: [] if "subscription" in message else [PONG]
        await connected.server.connections[0].close()
        await until(lambda: lost.isdisjoint(connected.feed.streamed_since))
        connected.advance(5)
        await asyncio.sleep(0.1)
        assert connected.feed.received_through == down_at
        assert connected.feed.streamed_since == {
            number: since for number, since in before.items() if number not in lost
        }
        assert connected.feed.status.reconnects == 1

    run(scenario)


@pytest.mark.usefixtures("two_coins_a_socket")
def test_a_socket_that_is_down_for_long_holds_the_watermark_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_LONG_OUTAGE_SECONDS", 0.5)

    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(SIX)
        await until(lambda: connected.feed.status.connected)
        connected.server.responses = lambda message: [] if "subscription" in message else [PONG]
        await connected.server.connections[0].close()
        late = connected.advance(5)
        await until(lambda: connected.feed.received_through == late)
        assert 0 < len(connected.feed.streamed_since) < 6
        for connection in connected.server.connections[1:]:
            await connection.close()
        await until(lambda: connected.feed.streamed_since == {})
        connected.advance(5)
        await asyncio.sleep(1)
        assert connected.feed.received_through in {T0, late}

    run(scenario)


@pytest.mark.parametrize("processes", range(1, MAX_SOCKETS + 1))
def test_all_sockets_of_all_processes_stay_within_the_limits_of_an_address(processes: int) -> None:
    coins = MAX_SUBSCRIPTIONS // processes
    sockets = socket_count(coins, processes)
    assert sockets * processes <= MAX_SOCKETS < 10
    share = FEED_LIMITS.rate.divided(processes)
    pings = sockets / ping_interval(sockets, processes)
    assert pings < share.per_second
    assert processes * (share.burst + 60 * share.per_second) <= 2000
    opened = CONNECTION_LIMIT.divided(processes)
    assert processes * (opened.burst + 60 * opened.per_second) <= 30.000001


def test_there_are_fewer_new_connections_in_a_minute_than_the_venue_takes() -> None:
    assert CONNECTION_LIMIT.burst + 60 * CONNECTION_LIMIT.per_second <= 30


def test_a_refused_coin_does_not_block_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def responses(message: dict[str, Any]) -> list[Any]:
        if message["method"] == "ping":
            return [PONG]
        if message["subscription"]["coin"] == "ETH":
            return [{"channel": "error", "data": "Invalid subscription {}"}]
        return [acknowledged(message), trades(1)]

    async def scenario(connected: ConnectedFeed) -> None:
        connected.server.responses = responses
        connected.feed.subscribe(BTC | ETH)
        await until(lambda: connected.feed.status.connected)
        await until(lambda: connected.feed.received_through == connected.now)
        assert len(connected.sink.rows) == 1
        assert "Invalid subscription" in caplog.text

    run(scenario)


def test_a_coin_that_is_confirmed_after_an_error_about_something_else_is_streamed() -> None:
    """The error stands where the confirmation is expected, which comes when nobody waits for it any more."""
    confirmations: list[Any] = []

    def responses(message: dict[str, Any]) -> list[Any]:
        if message["method"] == "ping":
            return [PONG]
        if message["subscription"]["coin"] == "ETH":
            confirmations.append(acknowledged(message))
            return [{"channel": "error", "data": "Error parsing JSON into valid websocket request: ?"}]
        return [acknowledged(message)]

    async def scenario(connected: ConnectedFeed) -> None:
        connected.server.responses = responses
        connected.feed.subscribe(BTC | ETH)
        await until(lambda: set(connected.feed.streamed_since) == set(BTC.values()))
        await connected.server.send(confirmations[0])
        await until(lambda: set(connected.feed.streamed_since) == {*BTC.values(), *ETH.values()})
        assert connected.server.subscriptions == [("subscribe", "BTC"), ("subscribe", "ETH")]

    run(scenario)


def test_an_invalid_trade_does_not_reject_the_others() -> None:
    async def scenario(connected: ConnectedFeed) -> None:
        connected.feed.subscribe(BTC)
        await until(lambda: connected.feed.status.connected)
        frame = trades(1, 2, 3, 4)
        frame["data"][1]["px"] = "dear"
        frame["data"][2] = None
        frame["data"].append({**frame["data"][0], "coin": "NEW", "tid": 5})
        await connected.server.send(frame)
        await connected.server.send("Websocket connection established.")
        await connected.server.send(b"\xff\x00")
        await connected.server.send({"channel": "weather", "data": 1})
        await until(lambda: len(connected.sink.refused) == 5)
        assert [row[2] for row in connected.sink.rows] == [1, 4]
        assert all(refused.reason and refused.payload for refused in connected.sink.refused)
        known = [(refused.instrument_id, refused.ts) for refused in connected.sink.refused if refused.ts]
        assert known == [(1, datetime(2026, 3, 1, tzinfo=UTC))]
        await connected.server.send(trades(6))
        await until(lambda: len(connected.sink.rows) == 3)
        assert len(connected.server.connections) == 1

    run(scenario)
