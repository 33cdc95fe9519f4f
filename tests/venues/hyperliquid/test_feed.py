"""The stream against a socket that does what the test wants."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from strandline.venues.feed import FeedStatus
from strandline.venues.hyperliquid import feed as feed_module
from strandline.venues.hyperliquid import trade_socket
from tests.venues.hyperliquid.server import PONG, T0, Scene, acknowledged, scene, trades, until

BTC, ETH, SOL = {"BTC": 1}, {"ETH": 2}, {"SOL": 3}


def play(tell: Callable[[Scene], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with scene() as one:
            await tell(one)

    asyncio.run(inside())


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again at once."""

    def pauses() -> Any:
        while True:
            yield 0.01

    monkeypatch.setattr(feed_module, "pauses", pauses)


def test_trades_become_ticks() -> None:
    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC)
        await until(lambda: one.feed.status.connected)
        await one.server.say(trades(7, 8))
        await one.server.say(trades(9, side="A", time=1_772_323_200_123, px="0.0000123", sz="7"))
        await until(lambda: len(one.heard.rows) == 3)
        ts = datetime(2026, 3, 1, tzinfo=UTC)
        assert one.heard.rows == [
            (ts, 1, 7, 100.5, 0.25, b"b", b"t", b"s"),
            (ts, 1, 8, 100.5, 0.25, b"b", b"t", b"s"),
            (ts.replace(microsecond=123_000), 1, 9, 0.0000123, 7.0, b"s", b"t", b"s"),
        ]
        assert not one.heard.refused

    play(tell)


def test_only_what_differs_is_subscribed_and_unsubscribed() -> None:
    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC | ETH)
        await until(lambda: len(one.server.subscriptions) == 2)
        await until(lambda: one.feed.status.connected)
        one.feed.subscribe(ETH | BTC)
        one.feed.subscribe(ETH | SOL)
        await until(lambda: len(one.server.subscriptions) == 4)
        assert one.server.subscriptions == [
            ("subscribe", "BTC"),
            ("subscribe", "ETH"),
            ("unsubscribe", "BTC"),
            ("subscribe", "SOL"),
        ]
        await one.server.connections[-1].close()
        await until(lambda: len(one.server.subscriptions) == 6)
        assert one.server.subscriptions[4:] == [("subscribe", "ETH"), ("subscribe", "SOL")]

    play(tell)


def test_no_more_is_subscribed_to_than_the_venue_takes(caplog: pytest.LogCaptureFixture) -> None:
    async def tell(one: Scene) -> None:
        one.feed.subscribe({f"C{number:04}": number for number in range(1, 1003)})
        await until(lambda: len(one.server.subscriptions) == 1000)
        assert ("subscribe", "C1001") not in one.server.subscriptions
        assert "1002 coins are wanted, 1000 can be streamed" in caplog.text

    play(tell)


def test_after_an_outage_nothing_counts_as_heard_until_the_replay_has_come() -> None:
    """The venue acknowledges, then replays, then answers the ping: between these the past is not complete."""

    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC)
        await until(lambda: one.feed.status.connected)
        await one.server.say(trades(1))
        await until(lambda: len(one.heard.rows) == 1)
        assert one.feed.received_through == one.now
        down_at = one.now
        one.later(60)
        one.server.answers = lambda message: [] if message["method"] == "ping" else [acknowledged(message)]
        await one.server.connections[-1].close()
        await until(lambda: one.server.messages[-1] == {"method": "ping"} and len(one.server.subscriptions) == 2)
        await one.server.say(trades(2))
        await until(lambda: len(one.heard.rows) == 2)
        assert one.feed.received_through == down_at
        assert one.feed.status._replace(messages=0) == FeedStatus(False, 1, 0, reconnects=1)
        await one.server.say(PONG)
        await until(lambda: one.feed.received_through == one.now)
        assert one.feed.status._replace(messages=0) == FeedStatus(True, 1, 0, reconnects=1)

    play(tell)


def test_a_pong_from_before_the_acknowledgement_does_not_end_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers an earlier ping; only that to the ping after the acknowledgements comes after the replay."""
    monkeypatch.setattr(trade_socket, "_QUIET_SECONDS", 60)

    async def tell(one: Scene) -> None:
        one.server.answers = lambda message: [PONG] if message["method"] == "ping" else []
        one.feed.subscribe(BTC)
        await until(lambda: one.server.subscriptions == [("subscribe", "BTC")])
        one.server.answers = lambda _: []
        await one.server.say(PONG)
        await one.server.say(trades(1))
        await until(lambda: len(one.heard.rows) == 1)
        assert not one.feed.status.connected
        before = len(one.server.messages)
        await one.server.say(acknowledged(one.server.messages[-1]))
        await until(lambda: one.server.messages[before:] == [{"method": "ping"}])
        await one.server.say(trades(2))
        await until(lambda: len(one.heard.rows) == 2)
        assert not one.feed.status.connected
        await one.server.say(PONG)
        await until(lambda: one.feed.status.connected)

    play(tell)


def test_a_quiet_market_is_told_from_a_dead_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_QUIET_SECONDS", 0.02)

    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC)
        await until(lambda: one.feed.status.connected)
        late = one.later(5)
        await until(lambda: one.feed.received_through == late)
        assert len(one.server.connections) == 1

    play(tell)


def test_a_line_that_says_nothing_is_dropped_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_QUIET_SECONDS", 0.02)
    monkeypatch.setattr(trade_socket, "_SILENT_SECONDS", 0.2)

    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC)
        await until(lambda: one.feed.status.connected)
        one.later(60)
        one.server.answers = lambda _: []
        await until(lambda: len(one.server.connections) > 1)
        assert one.feed.received_through == T0

    play(tell)


def test_a_subscription_that_is_never_answered_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "_ANSWER_SECONDS", 0.1)

    async def tell(one: Scene) -> None:
        one.server.answers = lambda message: [PONG] if message["method"] == "ping" else []
        one.feed.subscribe(BTC)
        await until(lambda: len(one.server.connections) > 2)
        assert one.feed.received_through is None

    play(tell)


def test_a_refused_coin_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def answers(message: dict[str, Any]) -> list[Any]:
        if message["method"] == "ping":
            return [PONG]
        if message["subscription"]["coin"] == "ETH":
            return [{"channel": "error", "data": "Invalid subscription {}"}]
        return [acknowledged(message), trades(1)]

    async def tell(one: Scene) -> None:
        one.server.answers = answers
        one.feed.subscribe(BTC | ETH)
        await until(lambda: one.feed.status.connected)
        await until(lambda: one.feed.received_through == one.now)
        assert len(one.heard.rows) == 1
        assert "Invalid subscription" in caplog.text

    play(tell)


def test_a_bad_trade_takes_no_good_one_with_it() -> None:
    async def tell(one: Scene) -> None:
        one.feed.subscribe(BTC)
        await until(lambda: one.feed.status.connected)
        frame = trades(1, 2, 3, 4)
        frame["data"][1]["px"] = "dear"
        frame["data"][2] = None
        frame["data"].append({**frame["data"][0], "coin": "NEW", "tid": 5})
        await one.server.say(frame)
        await one.server.say("Websocket connection established.")
        await one.server.say(b"\xff\x00")
        await one.server.say({"channel": "weather", "data": 1})
        await until(lambda: len(one.heard.refused) == 5)
        assert [row[2] for row in one.heard.rows] == [1, 4]
        assert all(refused.reason and refused.payload for refused in one.heard.refused)
        await one.server.say(trades(6))
        await until(lambda: len(one.heard.rows) == 3)
        assert len(one.server.connections) == 1

    play(tell)
