"""The ccxt client works with the simulated venue.

It needs `set_sandbox_mode(True)`, because the venue verifies signatures as the test network does, and two URLs. Its
approval of a builder's fee is refused, because there are no builders; it continues without.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.strandline_sim.hyperliquid.sample_venue import ALICE, MONEY, make_venue, served

SYMBOL = "ETH/USDC:USDC"


@pytest.fixture(scope="module")
def ccxt() -> Any:
    """Imported here, because its hundred exchanges take seconds, and every process reads every file of tests."""
    import ccxt  # type: ignore[import-untyped]

    return ccxt


@pytest.fixture
def client(ccxt: Any) -> Iterator[Any]:
    venue, _ = make_venue()
    with served(venue) as url:
        found = ccxt.hyperliquid(
            {
                "walletAddress": ALICE.address,
                "privateKey": ALICE.key.hex().removeprefix("0x"),
                "enableRateLimit": False,
            }
        )
        found.set_sandbox_mode(True)
        found.urls["api"] = {"public": url, "private": url}
        yield found


def test_markets_and_candles(client: Any) -> None:
    markets = client.load_markets()
    assert set(markets) == {"BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDC:USDC"}
    assert markets[SYMBOL]["precision"]["amount"] == 0.0001
    candles = client.fetch_ohlcv(SYMBOL, "5m", limit=20)
    assert len(candles) >= 19
    assert all(low <= min(open_, close) <= max(open_, close) <= high for _, open_, high, low, close, _ in candles)
    book = client.fetch_order_book(SYMBOL)
    ticker = client.fetch_tickers([SYMBOL])[SYMBOL]
    assert book["bids"][0][0] <= ticker["last"] <= book["asks"][0][0]
    assert client.fetch_status()["status"] == "ok"
    assert client.fetch_funding_rate(SYMBOL)["fundingRate"] is not None


def test_an_order_from_creation_to_cancellation(client: Any, ccxt: Any) -> None:
    client.load_markets()
    assert client.fetch_balance()["USDC"]["total"] == float(MONEY)
    price = client.fetch_tickers([SYMBOL])[SYMBOL]["last"]
    cloid = "0x" + "ab" * 16
    made = client.create_order(SYMBOL, "limit", "buy", 0.1, price * 0.9, {"clientOrderId": cloid})
    assert [order["id"] for order in client.fetch_open_orders(SYMBOL)] == [made["id"]]
    fetched = client.fetch_order(made["id"], SYMBOL)
    assert (fetched["status"], fetched["clientOrderId"], fetched["remaining"]) == ("open", cloid, 0.1)
    edited = client.edit_order(made["id"], SYMBOL, "limit", "buy", 0.2, price * 0.9)
    client.cancel_order(edited["id"], SYMBOL)
    assert client.fetch_order(edited["id"], SYMBOL)["status"] == "canceled"
    assert client.fetch_open_orders() == []
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(edited["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("1", SYMBOL)


def test_a_position_and_its_trades(client: Any) -> None:
    client.load_markets()
    price = client.fetch_tickers([SYMBOL])[SYMBOL]["last"]
    bought = client.create_order(SYMBOL, "market", "buy", 0.5, price)
    assert bought["filled"] == 0.5
    (position,) = client.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (SYMBOL, "long", 0.5)
    trades = client.fetch_my_trades(SYMBOL)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.5)
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
    assert client.set_leverage(5, SYMBOL)["status"] == "ok"
    sold = client.create_order(SYMBOL, "market", "sell", 0.5, price, {"reduceOnly": True})
    assert sold["filled"] == 0.5
    assert client.fetch_positions() == []
    orders = client.fetch_closed_orders(SYMBOL)
    assert {order["id"] for order in orders} == {bought["id"], sold["id"]}
    paid = sum(trade["fee"]["cost"] for trade in client.fetch_my_trades(SYMBOL))
    assert 0 < float(MONEY) - client.fetch_balance()["USDC"]["total"] < paid + 5


def test_refusals_have_their_exceptions(client: Any, ccxt: Any) -> None:
    client.load_markets()
    price = client.fetch_tickers([SYMBOL])[SYMBOL]["last"]
    with pytest.raises(ccxt.InvalidOrder, match="minimum value of"):
        client.create_order(SYMBOL, "limit", "buy", 0.001, price)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(SYMBOL, "limit", "buy", 1000, price * 0.99)
    with pytest.raises(ccxt.InvalidOrder, match="would have immediately matched"):
        client.create_order(SYMBOL, "limit", "buy", 0.1, price * 1.1, {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder, match="could not immediately match"):
        client.create_order(SYMBOL, "limit", "buy", 0.1, price * 0.9, {"timeInForce": "ioc"})


def test_the_history_of_an_account(client: Any) -> None:
    """Asked for without a start, as ccxt does by default."""
    client.load_markets()
    (deposit,) = client.fetch_deposits()
    assert deposit["amount"] == float(MONEY)
    assert client.fetch_withdrawals() == []
    (entry,) = client.fetch_ledger()
    assert entry["amount"] == float(MONEY)
    assert client.fetch_funding_history() == []
