"""Orders: refusals, fills, triggers, reduce-only, liquidation, funding."""

from decimal import Decimal
from typing import Any

import pytest

from strandline_sim.hyperliquid.account import Account, Leverage
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import is_tick, to_tick, wire
from strandline_sim.hyperliquid.orders import Grouping, Order, OrderSpec, Status, Tif, Trigger
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.tape import Tape
from tests.strandline_sim.hyperliquid.sample_venue import BTC, ETH, SOL, START, exchange, funded, kinds

HOUR = 3_600_000
FALLING = {"SOL": [Leg(regime=Regime.TREND_DOWN, start_ms=START, end_ms=START + 4 * HOUR, drift=-0.2)]}


def near(one: Exchange, asset: int, factor: str = "1") -> Decimal:
    """Return a valid price near the mark."""
    listing = one.listings[asset]
    return to_tick(one.mark(listing.name) * Decimal(factor), listing.sz_decimals)


def buy(one: Exchange, asset: int, size: str, factor: str = "1.02", tif: Tif = Tif.IOC, **more: Any) -> OrderSpec:
    return OrderSpec(asset, True, near(one, asset, factor), Decimal(size), tif=tif, **more)


def sell(one: Exchange, asset: int, size: str, factor: str = "0.98", tif: Tif = Tif.IOC, **more: Any) -> OrderSpec:
    return buy(one, asset, size, factor, tif, **more)._replace(is_buy=False)


def place(one: Exchange, account: Account, spec: OrderSpec) -> Order:
    ((order, error),) = one.place(account, [spec])
    assert error is None
    return order


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"px": Decimal("60000.5")}, "Price must be divisible by tick size. asset=0"),
        ({"px": Decimal(0)}, "Order has invalid price. asset=0"),
        ({"size": Decimal("0.000001")}, "Order has invalid size. asset=0"),
        ({"size": Decimal(0)}, "Order has zero size. asset=0"),
        ({"size": Decimal("0.0001")}, "Order must have minimum value of $10. asset=0"),
        ({"size": Decimal(100)}, "Insufficient margin to place order. asset=0"),
        ({"reduce_only": True}, "Reduce only order would increase position. asset=0"),
        ({"px": Decimal(1)}, "Order price cannot be more than 80% away from the reference price asset=0"),
    ],
)
def test_refusals_have_the_venues_errors(changes: dict[str, Any], text: str) -> None:
    one, tape = exchange()
    account = funded(one)
    spec = buy(one, BTC, "0.001", "0.99", Tif.GTC)._replace(**changes)
    ((order, error),) = one.place(account, [spec])
    assert error == text
    assert not order.is_open
    assert account.open_orders == {}
    assert kinds(tape) == ["deposit", "order_refused"]


@pytest.mark.parametrize(
    ("px", "sz_decimals", "taken"),
    [
        ("123456", 5, True),
        ("12345.6", 5, False),
        ("12345", 5, True),
        ("1234.5", 4, True),
        ("1234.56", 4, False),
        ("0.12345", 1, True),
        ("0.123456", 0, False),
        ("0.001234", 0, True),
        ("0.001234", 1, False),
    ],
)
def test_valid_prices(px: str, sz_decimals: int, taken: bool) -> None:
    assert is_tick(Decimal(px), sz_decimals) is taken


def test_an_unfilled_ioc_is_an_error() -> None:
    one, tape = exchange()
    ((order, error),) = one.place(funded(one), [buy(one, ETH, "0.1", "0.9")])
    assert error == "Order could not immediately match against any resting orders. asset=1"
    assert (order.status, order.filled) == (Status.IOC_REJECTED, Decimal(0))
    assert kinds(tape) == ["deposit", "order_refused"]


def test_a_post_only_order_that_would_trade_is_refused() -> None:
    one, _ = exchange()
    bid, ask = one.matcher.bbo("ETH")
    assert bid is not None
    assert ask is not None
    ((_, error),) = one.place(funded(one), [buy(one, ETH, "0.1", tif=Tif.ALO)])
    best = f"{bid.normalize():f}@{ask.normalize():f}"
    assert error == f"Post only order would have immediately matched, bbo was {best}. asset=1"


def test_an_order_larger_than_the_book_is_partly_filled() -> None:
    one, _ = exchange()
    account = funded(one, usdc=Decimal(10_000_000))
    offered = one.liquidity.book("SOL", one.now).asks
    order = place(one, account, buy(one, SOL, "100000", "1.5"))
    assert order.status is Status.CANCELED
    assert order.filled == sum(level.size for level in offered)
    assert [fill.px for fill in account.fills] == [level.price for level in offered]
    ((_, error),) = one.place(account, [buy(one, SOL, "1", "1.5")])
    assert error is not None  # the book is empty
    one.advance(one.now + 500)
    place(one, account, buy(one, SOL, "1", "1.5"))  # restored by the next update


def test_a_resting_order_is_filled_when_the_market_reaches_it() -> None:
    one, tape = exchange(scenario=FALLING)
    account = funded(one)
    order = place(one, account, buy(one, SOL, "20", "0.97", Tif.GTC))
    one.advance(START + 4 * HOUR)
    assert order.status is Status.FILLED
    fills = [fill for fill in account.fills if fill.oid == order.oid]
    assert {fill.px for fill in fills} == {order.spec.px}
    assert not any(fill.crossed for fill in fills)
    assert fills[0].time > START
    times = [entry.at for entry in tape.entries()]
    assert times == sorted(times)


def test_reduce_only_orders_are_limited_to_the_position_and_end_with_it() -> None:
    one, _ = exchange()
    account = funded(one)
    place(one, account, buy(one, SOL, "10"))
    assert place(one, account, sell(one, SOL, "99", "1.1", Tif.GTC, reduce_only=True)).size == 10
    older = next(iter(account.open_orders.values()))
    newer = place(one, account, sell(one, SOL, "10", "1.2", Tif.GTC, reduce_only=True))
    assert (older.status, newer.status) == (Status.REDUCE_ONLY_CANCELED, Status.OPEN)
    closing = place(one, account, sell(one, SOL, "99", reduce_only=True))
    assert (closing.filled, closing.status) == (Decimal(10), Status.FILLED)
    assert newer.status is Status.REDUCE_ONLY_CANCELED
    ((_, error),) = one.place(account, [sell(one, SOL, "1", reduce_only=True)])
    assert error == "Reduce only order would increase position. asset=2"


def test_a_flip_is_one_fill() -> None:
    one, _ = exchange()
    account = funded(one)
    place(one, account, buy(one, ETH, "0.01"))
    place(one, account, sell(one, ETH, "0.03"))
    assert account.fills[-1].direction == "Long > Short"
    assert account.size_of("ETH") == Decimal("-0.02")


def test_a_partial_close_keeps_the_entry_price() -> None:
    one, _ = exchange()
    account = funded(one)
    place(one, account, buy(one, ETH, "0.7"))
    position = account.positions["ETH"]
    entry = position.cost / position.size
    sold = place(one, account, sell(one, ETH, "0.3"))
    assert abs(position.cost / position.size - entry) < Decimal("0.00001")
    closed = sum(fill.closed_pnl for fill in account.fills)
    assert abs(closed - (sold.filled_value - sold.filled * entry)) < Decimal("0.00001")


def test_a_self_trade_cancels_the_resting_order() -> None:
    one, _ = exchange()
    account = funded(one)
    bid, ask = one.matcher.bbo("SOL")
    assert bid is not None
    assert ask is not None
    inside = to_tick((bid + ask) / 2, 2)
    mine = place(one, account, sell(one, SOL, "1", tif=Tif.GTC)._replace(px=inside))
    ((_, error),) = one.place(account, [buy(one, SOL, "1")._replace(px=inside)])
    assert mine.status is Status.SELF_TRADE_CANCELED
    assert error is not None
    assert account.fills == []


def test_a_stop_fires_and_its_sibling_is_cancelled() -> None:
    one, tape = exchange(scenario=FALLING)
    account = funded(one)
    exits = [
        sell(one, SOL, "5", tif=Tif.GTC, reduce_only=True)._replace(
            px=near(one, SOL, "0.5"), trigger=Trigger(near(one, SOL, factor), True, is_take_profit=factor > "1")
        )
        for factor in ("1.2", "0.95")
    ]
    entry, profit, stop = (p.order for p in one.place(account, [buy(one, SOL, "5"), *exits], Grouping.CHILDREN))
    assert (entry.status, profit.awaits_trigger, stop.awaits_trigger) == (Status.FILLED, True, True)
    one.advance(START + 4 * HOUR)
    assert (stop.status, profit.status) == (Status.FILLED, Status.SIBLING_FILLED_CANCELED)
    assert account.size_of("SOL") == 0
    assert {"trigger"} <= set(kinds(tape))
    assert stop.spec.trigger is not None
    assert account.fills[-1].px <= stop.spec.trigger.px


def test_a_stop_for_the_whole_position_closes_all_of_it() -> None:
    one, _ = exchange(scenario=FALLING)
    account = funded(one)
    place(one, account, buy(one, SOL, "5"))
    trigger = Trigger(near(one, SOL, "0.95"), is_market=True, is_take_profit=False)
    stop = sell(one, SOL, "0", "0.5", Tif.GTC, reduce_only=True, trigger=trigger)
    ((order, error),) = one.place(account, [stop], Grouping.POSITION)
    assert error is None
    place(one, account, buy(one, SOL, "3"))
    one.advance(START + 4 * HOUR)
    assert (order.status, order.filled, account.size_of("SOL")) == (Status.FILLED, Decimal(8), Decimal(0))


def test_children_of_an_unfilled_parent_are_cancelled_with_it() -> None:
    one, _ = exchange()
    account = funded(one)
    trigger = Trigger(near(one, SOL, "0.9"), is_market=True, is_take_profit=False)
    child = sell(one, SOL, "5", "0.8", Tif.GTC, reduce_only=True, trigger=trigger)
    entry, stop = one.place(account, [buy(one, SOL, "5", "0.95", Tif.GTC), child], Grouping.CHILDREN)
    assert stop.order.parent == entry.order.oid
    assert one.cancel(account, SOL, entry.order.oid) is None
    assert stop.order.status is Status.CANCELED


def test_a_trigger_on_the_wrong_side_is_refused() -> None:
    one, _ = exchange()
    account = funded(one)
    place(one, account, buy(one, SOL, "5"))
    above = Trigger(near(one, SOL, "1.1"), is_market=True, is_take_profit=False)
    ((_, error),) = one.place(account, [sell(one, SOL, "5", "0.9", Tif.GTC, reduce_only=True, trigger=above)])
    assert error == "Invalid TP/SL price. asset=2"


def test_funding_is_paid_every_hour_on_the_oracle() -> None:
    one, tape = exchange()
    account = funded(one)
    place(one, account, buy(one, BTC, "0.05"))
    one.advance(START + 3 * HOUR + 15)
    payments = [entry for entry in tape.entries(kind="funding") if entry.at > START + 15]
    assert [entry.at for entry in payments] == [START + hour * HOUR + 15 for hour in (1, 2, 3)]
    for entry in payments:
        hour = entry.at - 15
        assert entry.data["oraclePx"] == wire(one.market.oracle("BTC", hour))
        due = Decimal("0.05") * one.market.oracle("BTC", hour) * one.market.funding_rate("BTC", hour)
        assert abs(Decimal(entry.data["usdc"]) + due) < Decimal("0.000001")
    assert account.funding[-1].usdc == Decimal(payments[-1].data["usdc"])


@pytest.mark.parametrize("is_cross", [True, False])
def test_liquidation(is_cross: bool) -> None:
    one, tape = exchange(scenario=FALLING)
    account = funded(one, usdc=Decimal(1000))
    assert one.update_leverage(account, SOL, Leverage(is_cross, 10)) is None
    resting = place(one, account, buy(one, ETH, "0.01", "0.5", Tif.GTC))
    place(one, account, buy(one, SOL, "60"))
    limit = one.margins.liquidation_px(account, "SOL")
    assert limit is not None
    one.advance(START + 4 * HOUR)
    assert account.size_of("SOL") == 0
    first = next(tape.entries(kind="liquidation"))
    assert one.market.mark("SOL", first.at) <= limit
    assert one.market.mark("SOL", first.at - 500) > limit
    fill = account.fills[-1]
    assert fill.direction == f"Liquidated {'Cross' if is_cross else 'Isolated'} Long"
    assert fill.liquidation_mark is not None
    assert resting.status is (Status.LIQUIDATED_CANCELED if is_cross else Status.OPEN)
    assert account.balance >= 0
    assert (account.balance < 200) is is_cross or account.balance > 0


def test_a_scheduled_cancel_fires_at_most_ten_times_a_day() -> None:
    one, _ = exchange()
    account = funded(one)
    for _ in range(10):
        order = place(one, account, buy(one, ETH, "0.1", "0.9", Tif.GTC))
        assert one.schedule_cancel(account, one.now + 5000) is None
        one.advance(one.now + 5000)
        assert order.status is Status.SCHEDULED_CANCEL
    assert one.schedule_cancel(account, one.now + 5000) is not None


def test_a_scheduled_cancel_can_require_volume() -> None:
    one, _ = exchange(rules=Rules(schedule_cancel_volume=Decimal(1_000_000)))
    text = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    assert one.schedule_cancel(funded(one), one.now + 5000) == text


@pytest.mark.parametrize("unique", [False, True])
def test_a_cloid_can_be_used_again(unique: bool) -> None:
    one, _ = exchange(rules=Rules(unique_cloids=unique))
    account = funded(one)
    spec = buy(one, ETH, "0.1", cloid="0x" + "1" * 32)
    first, second = (one.place(account, [spec])[0] for _ in range(2))
    assert first.order.oid != second.order.oid
    assert (second.error is None) is not unique
    assert account.size_of("ETH") == Decimal("0.1") * (1 if unique else 2)


def test_a_modified_order_must_rest() -> None:
    one, _ = exchange()
    account = funded(one)
    old = place(one, account, buy(one, ETH, "0.1", "0.9", Tif.GTC))
    refused = one.modify(account, old.oid, buy(one, ETH, "0.1", "1.1", Tif.GTC), always_place=False)
    assert isinstance(refused, str)
    assert refused.startswith("Post only order would have immediately matched")
    assert old.is_open
    for spec, text in (
        (buy(one, ETH, "0.1"), "A modified order must be able to rest."),
        (buy(one, ETH, "0.001", "0.9", Tif.GTC), "Order must have minimum value of $10. asset=1"),
    ):
        assert one.modify(account, old.oid, spec, always_place=False) == text
        assert old.is_open
    done = one.modify(account, old.oid, buy(one, ETH, "0.1", "1.1", Tif.GTC), always_place=True)
    assert not isinstance(done, str)
    assert (old.status, done.order.status) == (Status.CANCELED, Status.FILLED)
    again = one.modify(account, old.oid, buy(one, ETH, "0.1"), always_place=True)
    assert again == "Cannot modify canceled or filled order"


def test_the_tape_describes_orders() -> None:
    one, tape = exchange()
    place(one, funded(one), buy(one, ETH, "0.1", "0.9", Tif.GTC, cloid="0x" + "1" * 32))
    _, entry = Tape.entries(tape)
    assert entry.kind == "order_accepted"
    assert (entry.data["side"], entry.data["sz"], entry.data["tif"]) == ("B", "0.1", "Gtc")
    assert all(isinstance(entry.data[name], str) for name in ("px", "sz", "cloid", "account"))
