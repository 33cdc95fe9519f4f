"""The official SDK works against it, with nothing changed but the base URL."""

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
from tests.strandline_sim.hyperliquid.things import ALICE, BOB, MONEY, served, venue, wall_clock

GTC = {"limit": {"tif": "Gtc"}}
IOC = {"limit": {"tif": "Ioc"}}


class Desk(NamedTuple):
    """What a user of the SDK has."""

    url: str
    info: Info
    exchange: Exchange
    tape: Tape
    now: Any

    def mid(self, coin: str) -> float:
        return float(self.info.all_mids()[coin])


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = wall_clock()
    one, tape = venue(clock=clock)
    with served(one) as url:
        info = Info(url, skip_ws=True, timeout=10)
        yield Desk(url, info, Exchange(ALICE, url, timeout=10), tape, clock.now)


def status(answer: Any) -> Any:
    assert answer["status"] == "ok", answer
    (one,) = answer["response"]["data"]["statuses"]
    return one


def test_what_everybody_sees(desk: Desk) -> None:
    info, now = desk.info, desk.now()
    assert [coin["name"] for coin in info.meta()["universe"]] == ["BTC", "ETH", "SOL"]
    meta, contexts = info.meta_and_asset_ctxs()
    assert len(contexts) == len(meta["universe"])
    assert all(float(context["markPx"]) > 0 for context in contexts)
    book = info.l2_snapshot("BTC")
    bids, asks = book["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    assert len(bids) <= 20
    assert float(bids[0]["px"]) < desk.mid("BTC") < float(asks[0]["px"])
    trades = info.post("/info", {"type": "recentTrades", "coin": "BTC"})
    assert trades[0]["time"] >= trades[-1]["time"]
    assert len({trade["tid"] for trade in trades}) == len(trades) > 0
    rates = info.funding_history("ETH", now - 86_400_000)
    assert len(rates) in {23, 24}
    assert {rate["time"] % 3_600_000 for rate in rates} == {15}
    predicted = dict(info.post("/info", {"type": "predictedFundings"}))
    assert dict(predicted["SOL"])["HlPerp"]["nextFundingTime"] > now


def test_candles_have_a_limit_and_one_that_forms(desk: Desk) -> None:
    now = desk.now()
    newest = desk.info.post("/info", {"type": "recentTrades", "coin": "BTC"})[0]
    candles = desk.info.candles_snapshot("BTC", "1m", 0, now + 60_000)
    assert 4900 < len(candles) <= 5000
    assert candles[-1]["T"] >= newest["time"]
    assert candles[0]["t"] > now - 5001 * 60_000
    assert [candle["T"] - candle["t"] for candle in candles[:2]] == [59_999, 59_999]
    assert desk.info.candles_snapshot("BTC", "1m", 0, now - 6000 * 60_000) == []


def test_a_market_order_there_and_back(desk: Desk) -> None:
    opened = status(desk.exchange.market_open("ETH", True, 0.5))["filled"]
    assert opened["totalSz"] == "0.5"
    state = desk.info.user_state(ALICE.address)
    position = state["assetPositions"][0]["position"]
    assert (position["coin"], position["szi"]) == ("ETH", "0.5")
    assert float(position["entryPx"]) == pytest.approx(float(opened["avgPx"]))
    value = float(state["marginSummary"]["accountValue"])
    assert value == pytest.approx(float(MONEY), rel=1e-3)
    assert value == pytest.approx(float(state["marginSummary"]["totalRawUsd"]) + float(position["positionValue"]))

    closed = status(desk.exchange.market_close("ETH"))["filled"]
    assert closed["totalSz"] == "0.5"
    assert desk.info.user_state(ALICE.address)["assetPositions"] == []
    fills = desk.info.user_fills(ALICE.address)
    assert {fill["dir"] for fill in fills} == {"Open Long", "Close Long"}
    assert {fill["oid"] for fill in fills} == {opened["oid"], closed["oid"]}
    by_time = desk.info.user_fills_by_time(ALICE.address, 0)
    assert by_time == fills[::-1]
    cash = MONEY + sum(Decimal(fill["closedPnl"]) - Decimal(fill["fee"]) for fill in fills)
    assert Decimal(desk.info.user_state(ALICE.address)["withdrawable"]) == cash


def test_a_resting_order_by_both_of_its_names(desk: Desk) -> None:
    cloid = Cloid.from_int(7)
    price = float(round(desk.mid("BTC") * 0.9))
    oid = status(desk.exchange.order("BTC", True, 0.01, price, GTC, cloid=cloid))["resting"]["oid"]
    assert [order["oid"] for order in desk.info.open_orders(ALICE.address)] == [oid]
    assert desk.info.frontend_open_orders(ALICE.address)[0]["tif"] == "Gtc"
    for found in (
        desk.info.query_order_by_oid(ALICE.address, oid),
        desk.info.query_order_by_cloid(ALICE.address, cloid),
    ):
        assert (found["status"], found["order"]["status"]) == ("order", "open")
    assert desk.info.query_order_by_oid(BOB.address, oid) == {"status": "unknownOid"}

    modified = desk.exchange.modify_order(oid, "BTC", True, 0.02, price - 10, GTC, cloid=cloid)
    renamed = status(modified)["resting"]["oid"]
    assert renamed != oid
    assert desk.info.query_order_by_oid(ALICE.address, oid)["order"]["status"] == "canceled"
    assert desk.info.query_order_by_cloid(ALICE.address, cloid)["order"]["order"]["sz"] == "0.02"

    assert status(desk.exchange.cancel_by_cloid("BTC", cloid)) == "success"
    gone = "Order was never placed, already canceled, or filled. asset=0"
    assert status(desk.exchange.cancel("BTC", renamed)) == {"error": gone}
    assert [update["status"] for update in desk.info.historical_orders(ALICE.address)] == [
        "canceled",
        "open",
        "canceled",
        "open",
    ]


def test_a_stop_is_placed_and_cancelled(desk: Desk) -> None:
    assert "filled" in status(desk.exchange.market_open("SOL", True, 2))
    trigger = round(desk.mid("SOL") * 0.9, 1)
    kind = {"trigger": {"triggerPx": trigger, "isMarket": True, "tpsl": "sl"}}
    oid = status(desk.exchange.order("SOL", False, 2, trigger - 5, kind, reduce_only=True))["resting"]["oid"]
    (order,) = desk.info.frontend_open_orders(ALICE.address)
    assert (order["orderType"], order["isTrigger"], order["tif"]) == ("Stop Market", True, None)
    assert status(desk.exchange.cancel("SOL", oid)) == "success"


def test_an_entry_with_its_exits(desk: Desk) -> None:
    mid = desk.mid("SOL")
    orders: list[Any] = [
        {"coin": "SOL", "is_buy": True, "sz": 2.0, "limit_px": round(mid * 1.02, 1), "order_type": GTC},
    ]
    for tpsl, factor in (("tp", 1.2), ("sl", 0.8)):
        px = round(mid * factor, 1)
        kind = {"trigger": {"triggerPx": px, "isMarket": True, "tpsl": tpsl}}
        orders.append({"coin": "SOL", "is_buy": False, "sz": 2.0, "limit_px": px, "order_type": kind})
    for order in orders:
        order["reduce_only"] = order is not orders[0]
    answer = desk.exchange.bulk_orders(orders, grouping="normalTpsl")
    entry, *exits = answer["response"]["data"]["statuses"]
    assert "filled" in entry
    assert exits == ["waitingForTrigger", "waitingForTrigger"]
    assert "filled" in status(desk.exchange.market_close("SOL"))
    assert desk.info.open_orders(ALICE.address) == []


def test_settings(desk: Desk) -> None:
    assert desk.exchange.update_leverage(7, "BTC") == {"status": "ok", "response": {"type": "default"}}
    assert desk.exchange.update_leverage(41, "BTC")["status"] == "err"
    assert desk.exchange.update_leverage(3, "ETH", is_cross=False)["status"] == "ok"
    assert "filled" in status(desk.exchange.market_open("ETH", False, 0.1))
    leverage = desk.info.user_state(ALICE.address)["assetPositions"][0]["position"]["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 3)
    assert desk.exchange.update_isolated_margin(50, "ETH")["status"] == "ok"
    switched = desk.exchange.update_leverage(3, "ETH", is_cross=True)
    assert switched == {"status": "err", "response": "Cannot switch leverage type with open position."}


def test_scheduled_cancel_and_noop(desk: Desk) -> None:
    assert desk.exchange.schedule_cancel(desk.now() + 60_000)["status"] == "ok"
    assert desk.exchange.schedule_cancel(None)["status"] == "ok"
    assert desk.exchange.schedule_cancel(desk.now() + 1000)["status"] == "err"
    nonce = desk.now() + 1000
    assert desk.exchange.noop(nonce)["status"] == "ok"
    assert desk.exchange.noop(nonce) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}


def test_an_agent_trades_for_its_owner(desk: Desk) -> None:
    answer, key = desk.exchange.approve_agent()
    assert answer["status"] == "ok"
    agent = Exchange(eth_account.Account.from_key(key), desk.url, account_address=ALICE.address, timeout=10)
    assert "filled" in status(agent.market_open("BTC", True, 0.001))
    assert desk.info.user_state(ALICE.address)["assetPositions"]
    assert desk.info.user_state(agent.wallet.address)["assetPositions"] == []
    assert desk.info.post("/info", {"type": "userRole", "user": agent.wallet.address})["role"] == "agent"
    answer, _ = desk.exchange.approve_agent("worker")
    assert answer["status"] == "ok"
    assert [one["name"] for one in desk.info.extra_agents(ALICE.address)] == ["worker"]


def test_two_clients_trade_with_each_other(desk: Desk) -> None:
    bids, asks = desk.info.l2_snapshot("SOL")["levels"]
    inside = round((float(bids[0]["px"]) + float(asks[0]["px"])) / 2, 2)
    assert float(bids[0]["px"]) < inside < float(asks[0]["px"])
    bob = Exchange(BOB, desk.url, timeout=10)
    resting = status(bob.order("SOL", False, 1, inside, {"limit": {"tif": "Alo"}}))["resting"]["oid"]
    taken = status(desk.exchange.order("SOL", True, 1, inside, IOC))["filled"]
    assert Decimal(taken["avgPx"]) == Decimal(str(inside))
    (mine,), (theirs,) = desk.info.user_fills(ALICE.address), desk.info.user_fills(BOB.address)
    assert (mine["tid"], mine["px"], mine["sz"]) == (theirs["tid"], theirs["px"], theirs["sz"])
    assert (mine["crossed"], theirs["crossed"], theirs["oid"]) == (True, False, resting)


def test_the_websocket_manager() -> None:
    one, _ = venue()
    with served(one) as url:
        info = Info(url, timeout=10)
        manager = info.ws_manager
        try:
            hear_everything(info, Exchange(ALICE, url, timeout=10))
        finally:
            connection = manager.ws.sock.sock
            # Its own `stop` often leaves its thread waiting ten seconds for a closed socket; this wakes it up.
            connection.shutdown(socket.SHUT_RDWR)
            manager.join(10)
            connection.close()
            info.disconnect_websocket()
    assert not manager.is_alive()


def hear_everything(info: Info, exchange: Exchange) -> None:
    """Subscribe to every feed that the SDK knows and the venue has, trade, and hear of it."""
    heard: dict[str, Queue[Any]] = {name: Queue() for name in ("trades", "l2Book", "bbo", "allMids", "candle")}
    for name, queue in heard.items():
        subscription: Any = {"type": name}
        if name != "allMids":
            subscription["coin"] = "BTC"
        if name == "candle":
            subscription["interval"] = "1w"
        info.subscribe(subscription, queue.put)
    mine: dict[str, Queue[Any]] = {name: Queue() for name in ("userFills", "orderUpdates", "userEvents")}
    for name, queue in mine.items():
        user_subscription: Any = {"type": name, "user": ALICE.address}
        info.subscribe(user_subscription, queue.put)
    assert len(heard["trades"].get(timeout=5)["data"]) == 30
    for name in ("l2Book", "bbo", "allMids", "candle"):
        assert heard[name].get(timeout=5)["channel"] == name
    assert mine["userFills"].get(timeout=5)["data"]["isSnapshot"] is True
    filled = status(exchange.market_open("BTC", True, 0.001))["filled"]
    fills = mine["userFills"].get(timeout=5)["data"]["fills"]
    assert {fill["oid"] for fill in fills} == {filled["oid"]}
    updates = mine["orderUpdates"].get(timeout=5)["data"]
    assert [update["status"] for update in updates] == ["open", "filled"]
    assert "fills" in mine["userEvents"].get(timeout=5)["data"]
