"""/info and /exchange over HTTP: limits, malformed bodies, faults, and queries without an SDK method."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.info import Info  # type: ignore[import-untyped]
from hyperliquid.utils.error import ClientError, ServerError  # type: ignore[import-untyped]
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.limits import Limits, info_weight
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.time_step import FUNDING_LAG, HOUR
from strandline_sim.tape import Tape
from tests.strandline_sim.hyperliquid.sample_venue import (
    ALICE,
    START,
    STRANGER,
    kinds,
    make_venue,
    only,
    served,
    wall_clock,
)

IOC: Any = {"limit": {"tif": "Ioc"}}
CLOID = Cloid.from_int(99)


def post(url: str, path: str, body: bytes | dict[str, Any]) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(url + path, data=data, timeout=10)


@pytest.mark.parametrize("path", ["/info", "/exchange"])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"type":"dance"}', b'{"type":"l2Book","coin":"GONE"}', b'{"type":"openOrders"}']
)
def test_a_malformed_body(path: str, body: bytes) -> None:
    venue, tape = make_venue()
    with served(venue) as url:
        answer = post(url, path, body)
    assert (answer.status_code, answer.text) == (422, "Failed to deserialize the JSON body into the target type")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert set(kinds(tape)) == {"deposit"}


def test_weights() -> None:
    venue, _ = make_venue(clock=SteppedClock(START), limits=Limits(weight_per_minute=45))
    with served(venue) as url:
        for _ in range(2):
            assert post(url, "/info", {"type": "meta"}).status_code == 200
        for _ in range(3):
            assert post(url, "/info", {"type": "allMids"}).status_code == 200
        for path in ("/info", "/exchange"):
            refused = post(url, path, {"type": "allMids"})
            assert (refused.status_code, refused.text) == (429, "null")
        with pytest.raises(ClientError):
            Info(url, skip_ws=True, timeout=10)
    assert [info_weight(kind, 120) for kind in ("l2Book", "meta", "userFills", "candleSnapshot", "userRole")] == [
        2, 20, 26, 22, 60,
    ]  # fmt: skip


def with_faults(*rules: Rule, act: Callable[[Exchange], Any], **more: Any) -> tuple[Any, Faults, Tape, Any]:
    """Act with faults; return the client's response, the injected faults, the tape, and the order's final status."""
    faults = Faults()
    venue, tape = make_venue(faults=faults, **more)
    with served(venue) as url:
        client = Exchange(ALICE, url, timeout=10)
        for rule in rules:
            faults.add(rule)
        try:
            answer = act(client)
        except (requests.RequestException, ClientError, ServerError) as error:
            answer = error
        faults.clear()
        return answer, faults, tape, client.info.query_order_by_cloid(ALICE.address, CLOID)


def order(client: Exchange) -> Any:
    """Place a market buy."""
    return client.market_open("SOL", True, 5, cloid=CLOID)


ORDERS = "hyperliquid/exchange/order"


@pytest.mark.parametrize(
    ("kind", "value", "happened"),
    [
        ("refuse", 0, False),
        ("drop_request", 0, False),
        ("status", 429, False),
        ("status", 503, False),
        ("drop_answer", 0, True),
        ("status_after", 502, True),
    ],
)
def test_an_order_with_an_unknown_outcome(kind: str, value: float, happened: bool) -> None:
    answer, faults, tape, status = with_faults(Rule(route=ORDERS, kind=FaultKind(kind), value=value), act=order)
    assert isinstance(answer, Exception)
    assert [injected.kind for injected in faults.journal] == [kind]
    assert ("fill" in kinds(tape)) is happened
    assert (status["status"] == "order") is happened


def test_a_malformed_response() -> None:
    answer, _, tape, status = with_faults(Rule(route=ORDERS, kind=FaultKind.MALFORMED), act=order)
    assert "error" in answer
    assert "fill" in kinds(tape)
    assert status["order"]["status"] == "filled"


def test_a_request_delivered_twice_is_executed_once() -> None:
    answer, _, tape, _ = with_faults(Rule(route=ORDERS, kind=FaultKind.ANSWER_TWICE), act=order)
    assert answer["response"].startswith("Invalid nonce: duplicate nonce ")
    assert kinds(tape).count("order_accepted") == 1


@pytest.mark.parametrize(("share", "filled", "status"), [(0.4, "2.0", "canceled"), (0, None, "iocCancelRejected")])
def test_a_partial_fill(share: float, filled: str | None, status: str) -> None:
    answer, _, _, found = with_faults(Rule(route=ORDERS, kind=FaultKind.PARTIAL_FILL, value=share), act=order)
    outcome = only(answer["response"]["data"]["statuses"])
    assert outcome.get("filled", {}).get("totalSz") == filled
    assert ("error" in outcome) is (filled is None)
    assert found["order"]["status"] == status


@pytest.mark.parametrize("as_filled", [False, True])
def test_a_partial_fill_that_rests(as_filled: bool) -> None:
    def limit(client: Exchange) -> Any:
        mid = float(client.info.all_mids()["SOL"])
        return client.order("SOL", True, 5, round(mid * 1.001, 2), {"limit": {"tif": "Gtc"}}, cloid=CLOID)

    rule = Rule(route=ORDERS, kind=FaultKind.PARTIAL_FILL, value=0.4)
    answer, _, _, found = with_faults(rule, act=limit, rules=Rules(partial_answers_filled=as_filled))
    outcome = only(answer["response"]["data"]["statuses"])
    assert ("filled" in outcome, "resting" in outcome) == (as_filled, not as_filled)
    assert found["status"] == "order"


def test_a_venue_clock_that_is_ahead() -> None:
    def soon(client: Exchange) -> Any:
        client.set_expires_after(wall_clock().now() + 5000)
        return order(client)

    answer, _, tape, _ = with_faults(Rule(route=ORDERS, kind=FaultKind.CLOCK_SKEW, value=10_000), act=soon)
    assert answer == {"status": "err", "response": "Action already expired"}
    assert "fill" not in kinds(tape)
    answer, _, _, _ = with_faults(act=soon)
    assert answer["status"] == "ok"


def test_exchange_status_has_the_skewed_clock() -> None:
    venue, _ = make_venue(
        clock=SteppedClock(START), faults=Faults([Rule(route="*/exchangeStatus", kind=FaultKind.CLOCK_SKEW, value=7)])
    )
    with served(venue) as url:
        times = [post(url, "/info", {"type": "exchangeStatus"}).json()["time"] for _ in range(2)]
    assert times == [START + 7, START]


def test_queries_that_lag_do_not_know_what_was_accepted() -> None:
    clock, faults = SteppedClock(START), Faults()
    venue, _ = make_venue(clock=clock, faults=faults, nonce_window=False)
    with served(venue) as url:
        client = Exchange(ALICE, url, timeout=10)
        info, user = client.info, ALICE.address
        price = round(float(info.all_mids()["SOL"]) * 0.9, 2)
        resting = only(client.order("SOL", True, 1, price, {"limit": {"tif": "Gtc"}})["response"]["data"]["statuses"])
        old = resting["resting"]["oid"]
        asyncio.run(clock.step(5_000))
        client.cancel("SOL", old)
        client.market_open("SOL", True, 5, cloid=CLOID)

        def known() -> list[object]:
            return [
                info.query_order_by_cloid(user, CLOID)["status"],
                info.query_order_by_oid(user, old)["order"]["status"],
                [one["oid"] for one in info.open_orders(user)],
                [one["oid"] for one in info.frontend_open_orders(user)],
                len(info.user_fills(user)),
                len(info.user_fills_by_time(user, 0)),
                len(post(url, "/info", {"type": "historicalOrders", "user": user}).json()),
            ]

        now = known()
        assert now[:4] == ["order", "canceled", [], []]
        fills, statuses = now[4], now[6]
        assert fills
        faults.add(Rule(route="hyperliquid/info/*", kind=FaultKind.LAG, times=None, value=2_000))
        assert known() == ["unknownOid", "open", [old], [old], 0, 0, 1]
        asyncio.run(clock.step(2_000))
        assert known() == ["order", "canceled", [], [], fills, fills, statuses]


def test_down_fails_every_request() -> None:
    rule = Rule(route="hyperliquid/*", kind=FaultKind.DOWN, times=None)
    answer, faults, tape, _ = with_faults(rule, act=order)
    assert isinstance(answer, requests.ConnectionError)
    assert len(faults.journal) >= 1
    assert set(kinds(tape)) == {"deposit"}


def test_funding_is_paid_every_hour_and_nonces_may_be_far_from_the_venues_time() -> None:
    """Without a nonce window, for a fast or stepped clock, any nonce is accepted."""
    clock = SteppedClock(START + HOUR - 10_000)
    venue, tape = make_venue(clock=clock, nonce_window=False, rules=Rules(update_ms=60_000))

    async def trade() -> None:
        url = await venue.start()
        try:
            client = await asyncio.to_thread(Exchange, ALICE, url, timeout=10)
            assert (await asyncio.to_thread(client.market_open, "SOL", True, 5))["status"] == "ok"
            await clock.step(HOUR + 20_000)
            assert (await asyncio.to_thread(client.market_close, "SOL"))["status"] == "ok"
            await clock.step(2 * HOUR)
        finally:
            await venue.stop()

    asyncio.run(trade())
    paid = [entry.at for entry in tape.entries(kind="funding")]
    assert paid == [START + HOUR + FUNDING_LAG, START + 2 * HOUR + FUNDING_LAG]


def test_a_nonce_far_from_the_venues_time_is_refused() -> None:
    venue, _ = make_venue(clock=SteppedClock(START))
    with served(venue) as url:
        refused = Exchange(ALICE, url, timeout=10).market_open("SOL", True, 5)
    assert refused["response"].startswith("Invalid nonce")


def test_an_unknown_address_gets_starting_usdc_when_it_is_queried() -> None:
    venue, tape = make_venue(starting_usdc=Decimal(500))
    with served(venue) as url:
        client = Exchange(STRANGER, url, timeout=10)
        assert client.noop(wall_clock().now())["response"].endswith("does not exist.")
        state = client.info.user_state(STRANGER.address)
        assert state["marginSummary"]["accountValue"] == "500.0"
        assert client.noop(wall_clock().now() + 1)["status"] == "ok"
    assert kinds(tape).count("deposit") == 3


def test_further_queries_about_an_account() -> None:
    venue, _ = make_venue(clock=wall_clock())
    with served(venue) as url:
        client = Exchange(ALICE, url, timeout=10)
        assert client.market_open("SOL", True, 60)["status"] == "ok"
        assert client.market_open("ETH", True, 0.1)["status"] == "ok"

        def query(kind: str, **more: Any) -> Any:
            return post(url, "/info", {"type": kind, "user": ALICE.address.upper().replace("X", "x"), **more}).json()

        fills, together = query("userFills"), query("userFills", aggregateByTime=True)
        assert len(together) == 2 <= len(fills)
        for name in ("sz", "fee", "closedPnl"):
            assert sum(Decimal(fill[name]) for fill in fills) == sum(Decimal(fill[name]) for fill in together)
        volume = sum(Decimal(fill["px"]) * Decimal(fill["sz"]) for fill in fills)
        limit = query("userRateLimit")
        assert Decimal(limit["cumVlm"]) == volume
        assert limit["nRequestsCap"] == 10_000 + int(volume)
        assert query("userRole") == {"role": "user"}
        assert query("activeAssetData", coin="BTC")["leverage"] == {"type": "cross", "value": 20}
        assert client.update_leverage(3, "BTC", is_cross=False)["status"] == "ok"
        active = query("activeAssetData", coin="BTC")
        assert active["leverage"] == {"type": "isolated", "value": 3, "rawUsd": "0.0"}
        assert Decimal(active["maxTradeSzs"][0]) * Decimal(active["markPx"]) < 3 * Decimal(10000)
        assert query("userFees")["userCrossRate"] == "0.00045"
        assert query("spotClearinghouseState") == {"balances": []}
        assert [one["delta"]["usdc"] for one in query("userNonFundingLedgerUpdates", startTime=0)] == ["10000.0"]
        assert query("userFunding", startTime=0) == []
        assert query("userFillsByTime", startTime=0, endTime=1) == []
