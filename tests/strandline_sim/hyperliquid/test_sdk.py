"""The official SDK works with the simulated venue, only the base URL changes."""

import socket
from collections.abc import Iterator
from decimal import Decimal
from queue import Queue
from typing import Any, NamedTuple

import eth_account
import pytest
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.info import Info  # type: ignore[import-untyped]
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]

from strandline_sim.tape import Tape
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, BOB, MONEY, make_venue, served, wall_clock

GTC = {"limit": {"tif": "Gtc"}}
IOC = {"limit": {"tif": "Ioc"}}


class Client(NamedTuple):
    """The SDK's clients of a venue."""

    url: str
    info: Info
    exchange: Exchange
    tape: Tape
    now: Any

    def mid(self, coin: str) -> float:
        return float(self.info.all_mids()[coin])


@pytest.fixture
def client() -> Iterator[Client]:
    clock = wall_clock()
    venue, tape = make_venue(clock=clock)
    with served(venue) as url:
        info = Info(url, skip_ws=True, timeout=10)
        yield Client(url, info, Exchange(ALICE, url, timeout=10), tape, clock.now)


def status(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    (one,) = answer["response"]["data"]["statuses"]
    return one


def test_public_data(client: Client) -> None:
    info, now = client.info, client.now()
    assert [coin["name"] for coin in info.meta()["universe"]] == ["BTC", "ETH", "SOL"]
    meta, contexts = info.meta_and_asset_ctxs()
    assert len(contexts) == len(meta["universe"])
    assert all(float(context["markPx"]) > 0 for context in contexts)
    book = info.l2_snapshot("BTC")
    bids, asks = book["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    assert len(bids) <= 20
    assert float(bids[0]["px"]) < client.mid("BTC") < float(asks[0]["px"])
    trades = info.post("/info", {"type": "recentTrades", "coin": "BTC"})
    assert trades[0]["time"] >= trades[-1]["time"]
    assert len({trade["tid"] for trade in trades}) == len(trades) > 0
    rates = info.funding_history("ETH", now - 86_400_000)
    assert len(rates) in {23, 24}
    assert {rate["time"] % 3_600_000 for rate in rates} == {15}
    predicted = dict(info.post("/info", {"type": "predictedFundings"}))
    assert dict(predicted["SOL"])["HlPerp"]["nextFundingTime"] > now


def test_candles_are_limited_and_the_last_is_forming(client: Client) -> None:
    now = client.now()
    newest = client.info.post("/info", {"type": "recentTrades", "coin": "BTC"})[0]
    candles = client.info.candles_snapshot("BTC", "1m", 0, now + 60_000)
    assert 4900 < len(candles) <= 5000
    assert candles[-1]["T"] >= newest["time"]
    assert candles[0]["t"] > now - 5001 * 60_000
    assert [candle["T"] - candle["t"] for candle in candles[:2]] == [59_999, 59_999]
    assert client.info.candles_snapshot("BTC", "1m", 0, now - 6000 * 60_000) == []


def test_a_position_is_opened_and_closed(client: Client) -> None:
    opened = status(client.exchange.market_open("ETH", True, 0.5))["filled"]
    assert opened["totalSz"] == "0.5"
    state = client.info.user_state(ALICE.address)
    position = state["assetPositions"][0]["position"]
    assert (position["coin"], position["szi"]) == ("ETH", "0.5")
    assert float(position["entryPx"]) == pytest.approx(float(opened["avgPx"]))
    value = float(state["marginSummary"]["accountValue"])
    assert value == pytest.approx(float(MONEY), rel=1e-3)
    assert value == pytest.approx(float(state["marginSummary"]["totalRawUsd"]) + float(position["positionValue"]))

    closed = status(client.exchange.market_close("ETH"))["filled"]
    assert closed["totalSz"] == "0.5"
    assert client.info.user_state(ALICE.address)["assetPositions"] == []
    fills = client.info.user_fills(ALICE.address)
    assert {fill["dir"] for fill in fills} == {"Open Long", "Close Long"}
    assert {fill["oid"] for fill in fills} == {opened["oid"], closed["oid"]}
    by_time = client.info.user_fills_by_time(ALICE.address, 0)
    assert by_time == fills[::-1]
    cash = MONEY + sum(Decimal(fill["closedPnl"]) - Decimal(fill["fee"]) for fill in fills)
    assert Decimal(client.info.user_state(ALICE.address)["withdrawable"]) == cash


def test_a_resting_order_by_oid_and_cloid(client: Client) -> None:
    cloid = Cloid.from_int(7)
    price = float(round(client.mid("BTC") * 0.9))
    oid = status(client.exchange.order("BTC", True, 0.01, price, GTC, cloid=cloid))["resting"]["oid"]
    assert [order["oid"] for order in client.info.open_orders(ALICE.address)] == [oid]
    assert client.info.frontend_open_orders(ALICE.address)[0]["tif"] == "Gtc"
    for found in (
        client.info.query_order_by_oid(ALICE.address, oid),
        client.info.query_order_by_cloid(ALICE.address, cloid),
    ):
        assert (found["status"], found["order"]["status"]) == ("order", "open")
    assert client.info.query_order_by_oid(BOB.address, oid) == {"status": "unknownOid"}

    modified = client.exchange.modify_order(oid, "BTC", True, 0.02, price - 10, GTC, cloid=cloid)
    renamed = status(modified)["resting"]["oid"]
    assert renamed != oid
    assert client.info.query_order_by_oid(ALICE.address, oid)["order"]["status"] == "canceled"
    assert client.info.query_order_by_cloid(ALICE.address, cloid)["order"]["order"]["sz"] == "0.02"

    assert status(client.exchange.cancel_by_cloid("BTC", cloid)) == "success"
    gone = "Order was never placed, already canceled, or filled. asset=0"
    assert status(client.exchange.cancel("BTC", renamed)) == {"error": gone}
    assert [update["status"] for update in client.info.historical_orders(ALICE.address)] == [
        "canceled",
        "open",
        "canceled",
        "open",
    ]


def test_a_stop_is_placed_and_cancelled(client: Client) -> None:
    assert "filled" in status(client.exchange.market_open("SOL", True, 2))
    trigger = round(client.mid("SOL") * 0.9, 1)
    kind = {"trigger": {"triggerPx": trigger, "isMarket": True, "tpsl": "sl"}}
    oid = status(client.exchange.order("SOL", False, 2, trigger - 5, kind, reduce_only=True))["resting"]["oid"]
    (order,) = client.info.frontend_open_orders(ALICE.address)
    assert (order["orderType"], order["isTrigger"], order["tif"]) == ("Stop Market", True, None)
    assert status(client.exchange.cancel("SOL", oid)) == "success"


def test_an_entry_with_its_exits(client: Client) -> None:
    mid = client.mid("SOL")
    orders: list[Any] = [
        {"coin": "SOL", "is_buy": True, "sz": 2.0, "limit_px": round(mid * 1.02, 1), "order_type": GTC},
    ]
    for tpsl, factor in (("tp", 1.2), ("sl", 0.8)):
        px = round(mid * factor, 1)
        kind = {"trigger": {"triggerPx": px, "isMarket": True, "tpsl": tpsl}}
        orders.append({"coin": "SOL", "is_buy": False, "sz": 2.0, "limit_px": px, "order_type": kind})
    for order in orders:
        order["reduce_only"] = order is not orders[0]
    answer = client.exchange.bulk_orders(orders, grouping="normalTpsl")
    entry, *exits = answer["response"]["data"]["statuses"]
    assert "filled" in entry
    assert exits == ["waitingForTrigger", "waitingForTrigger"]
    assert "filled" in status(client.exchange.market_close("SOL"))
    assert client.info.open_orders(ALICE.address) == []


def test_leverage_and_margin(client: Client) -> None:
    assert client.exchange.update_leverage(7, "BTC") == {"status": "ok", "response": {"type": "default"}}
    assert client.exchange.update_leverage(41, "BTC")["status"] == "err"
    assert client.exchange.update_leverage(3, "ETH", is_cross=False)["status"] == "ok"
    assert "filled" in status(client.exchange.market_open("ETH", False, 0.1))
    leverage = client.info.user_state(ALICE.address)["assetPositions"][0]["position"]["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 3)
    assert client.exchange.update_isolated_margin(50, "ETH")["status"] == "ok"
    switched = client.exchange.update_leverage(3, "ETH", is_cross=True)
    assert switched == {"status": "err", "response": "Cannot switch leverage type with open position."}


def test_scheduled_cancel_and_noop(client: Client) -> None:
    assert client.exchange.schedule_cancel(client.now() + 60_000)["status"] == "ok"
    assert client.exchange.schedule_cancel(None)["status"] == "ok"
    assert client.exchange.schedule_cancel(client.now() + 1000)["status"] == "err"
    nonce = client.now() + 1000
    assert client.exchange.noop(nonce)["status"] == "ok"
    assert client.exchange.noop(nonce) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}


def test_an_agent_trades_for_its_owner(client: Client) -> None:
    answer, key = client.exchange.approve_agent()
    assert answer["status"] == "ok"
    agent = Exchange(eth_account.Account.from_key(key), client.url, account_address=ALICE.address, timeout=10)
    assert "filled" in status(agent.market_open("BTC", True, 0.001))
    assert client.info.user_state(ALICE.address)["assetPositions"]
    assert client.info.user_state(agent.wallet.address)["assetPositions"] == []
    assert client.info.post("/info", {"type": "userRole", "user": agent.wallet.address})["role"] == "agent"
    answer, _ = client.exchange.approve_agent("worker")
    assert answer["status"] == "ok"
    assert [one["name"] for one in client.info.extra_agents(ALICE.address)] == ["worker"]


def test_two_clients_trade_with_each_other(client: Client) -> None:
    bids, asks = client.info.l2_snapshot("SOL")["levels"]
    inside = round((float(bids[0]["px"]) + float(asks[0]["px"])) / 2, 2)
    assert float(bids[0]["px"]) < inside < float(asks[0]["px"])
    bob = Exchange(BOB, client.url, timeout=10)
    resting = status(bob.order("SOL", False, 1, inside, {"limit": {"tif": "Alo"}}))["resting"]["oid"]
    taken = status(client.exchange.order("SOL", True, 1, inside, IOC))["filled"]
    assert Decimal(taken["avgPx"]) == Decimal(str(inside))
    (mine,), (theirs,) = client.info.user_fills(ALICE.address), client.info.user_fills(BOB.address)
    assert (mine["tid"], mine["px"], mine["sz"]) == (theirs["tid"], theirs["px"], theirs["sz"])
    assert (mine["crossed"], theirs["crossed"], theirs["oid"]) == (True, False, resting)


def test_the_websocket_manager() -> None:
    venue, _ = make_venue()
    with served(venue) as url:
        info = Info(url, timeout=10)
        manager = info.ws_manager
        try:
            check_feeds(info, Exchange(ALICE, url, timeout=10))
        finally:
            connection = manager.ws.sock.sock
            # Its own `stop` often leaves its thread waiting ten seconds for a closed socket; this wakes it up.
            connection.shutdown(socket.SHUT_RDWR)
            manager.join(10)
            connection.close()
            info.disconnect_websocket()
    assert not manager.is_alive()


def check_feeds(info: Info, exchange: Exchange) -> None:
    """Subscribe to every feed of SDK and venue, trade, and check the messages."""
    public_messages: dict[str, Queue[Any]] = {
        name: Queue() for name in ("trades", "l2Book", "bbo", "allMids", "candle")
    }
    for name, queue in public_messages.items():
        subscription: Any = {"type": name}
        if name != "allMids":
            subscription["coin"] = "BTC"
        if name == "candle":
            subscription["interval"] = "1w"
        info.subscribe(subscription, queue.put)
    user_messages: dict[str, Queue[Any]] = {name: Queue() for name in ("userFills", "orderUpdates", "userEvents")}
    for name, queue in user_messages.items():
        user_subscription: Any = {"type": name, "user": ALICE.address}
        info.subscribe(user_subscription, queue.put)
    assert len(public_messages["trades"].get(timeout=5)["data"]) == 30
    for name in ("l2Book", "bbo", "allMids", "candle"):
        assert public_messages[name].get(timeout=5)["channel"] == name
    assert user_messages["userFills"].get(timeout=5)["data"]["isSnapshot"] is True
    filled = status(exchange.market_open("BTC", True, 0.001))["filled"]
    fills = user_messages["userFills"].get(timeout=5)["data"]["fills"]
    assert {fill["oid"] for fill in fills} == {filled["oid"]}
    updates = user_messages["orderUpdates"].get(timeout=5)["data"]
    assert [update["status"] for update in updates] == ["open", "filled"]
    assert "fills" in user_messages["userEvents"].get(timeout=5)["data"]
