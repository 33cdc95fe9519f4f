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
from tests.strandline_sim.hyperliquid.sample_venue import BTC, ETH, SOL, START, funded, kinds, make_exchange

HOUR = 3_600_000
FALLING = {"SOL": [Leg(regime=Regime.TREND_DOWN, start_ms=START, end_ms=START + 4 * HOUR, drift=-0.2)]}
CRASHING = {"SOL": [Leg(regime=Regime.CRASH, start_ms=START, end_ms=START + 60_000, drift=-0.9)]}


def near(exchange: Exchange, asset: int, factor: str = "1") -> Decimal:
    """Return a valid price near the mark."""
    listing = exchange.listings[asset]
    return to_tick(exchange.mark(listing.name) * Decimal(factor), listing.sz_decimals)


def buy(exchange: Exchange, asset: int, size: str, factor: str = "1.02", tif: Tif = Tif.IOC, **more: Any) -> OrderSpec:
    return OrderSpec(asset, True, near(exchange, asset, factor), Decimal(size), tif=tif, **more)


def sell(exchange: Exchange, asset: int, size: str, factor: str = "0.98", tif: Tif = Tif.IOC, **more: Any) -> OrderSpec:
    return buy(exchange, asset, size, factor, tif, **more)._replace(is_buy=False)


def place(exchange: Exchange, account: Account, spec: OrderSpec) -> Order:
    ((order, error),) = exchange.place(account, [spec])
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
    exchange, tape = make_exchange()
    account = funded(exchange)
    spec = buy(exchange, BTC, "0.001", "0.99", Tif.GTC)._replace(**changes)
    ((order, error),) = exchange.place(account, [spec])
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
    exchange, tape = make_exchange()
    ((order, error),) = exchange.place(funded(exchange), [buy(exchange, ETH, "0.1", "0.9")])
    assert error == "Order could not immediately match against any resting orders. asset=1"
    assert (order.status, order.filled) == (Status.IOC_REJECTED, Decimal(0))
    assert kinds(tape) == ["deposit", "order_refused"]


def test_a_post_only_order_that_would_trade_is_refused() -> None:
    exchange, _ = make_exchange()
    bid, ask = exchange.matcher.bbo("ETH")
    assert bid is not None
    assert ask is not None
    ((_, error),) = exchange.place(funded(exchange), [buy(exchange, ETH, "0.1", tif=Tif.ALO)])
    best = f"{bid.normalize():f}@{ask.normalize():f}"
    assert error == f"Post only order would have immediately matched, bbo was {best}. asset=1"


def test_an_order_larger_than_the_book_is_partly_filled() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange, usdc=Decimal(10_000_000))
    asks = exchange.liquidity.deep_book("SOL", exchange.now).asks
    order = place(exchange, account, buy(exchange, SOL, "100000", "1.5"))
    offered = [level for level in asks if level.price <= order.spec.px]
    assert 20 < len(offered) < len(asks)
    assert order.status is Status.CANCELED
    assert order.filled == sum(level.size for level in offered)
    assert [fill.px for fill in account.fills] == [level.price for level in offered]
    ((_, error),) = exchange.place(account, [buy(exchange, SOL, "1", "1.5")])
    assert error is not None  # the book is empty up to this price
    exchange.advance(exchange.now + 500)
    place(exchange, account, buy(exchange, SOL, "1", "1.5"))  # restored by the next update


def test_a_resting_order_is_filled_when_the_market_reaches_it() -> None:
    exchange, tape = make_exchange(scenario=FALLING)
    account = funded(exchange)
    order = place(exchange, account, buy(exchange, SOL, "20", "0.97", Tif.GTC))
    exchange.advance(START + 4 * HOUR)
    assert order.status is Status.FILLED
    fills = [fill for fill in account.fills if fill.oid == order.oid]
    assert {fill.px for fill in fills} == {order.spec.px}
    assert not any(fill.crossed for fill in fills)
    assert fills[0].time > START
    times = [entry.at for entry in tape.entries()]
    assert times == sorted(times)


def test_reduce_only_orders_are_limited_to_the_position_and_end_with_it() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    place(exchange, account, buy(exchange, SOL, "10"))
    assert place(exchange, account, sell(exchange, SOL, "99", "1.1", Tif.GTC, reduce_only=True)).size == 10
    older = next(iter(account.open_orders.values()))
    newer = place(exchange, account, sell(exchange, SOL, "10", "1.2", Tif.GTC, reduce_only=True))
    assert (older.status, newer.status) == (Status.REDUCE_ONLY_CANCELED, Status.OPEN)
    closing = place(exchange, account, sell(exchange, SOL, "99", reduce_only=True))
    assert (closing.filled, closing.status) == (Decimal(10), Status.FILLED)
    assert newer.status is Status.REDUCE_ONLY_CANCELED
    ((_, error),) = exchange.place(account, [sell(exchange, SOL, "1", reduce_only=True)])
    assert error == "Reduce only order would increase position. asset=2"


def test_a_flip_is_one_fill() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    place(exchange, account, buy(exchange, ETH, "0.01"))
    place(exchange, account, sell(exchange, ETH, "0.03"))
    assert account.fills[-1].direction == "Long > Short"
    assert account.size_of("ETH") == Decimal("-0.02")


def test_a_partial_close_keeps_the_entry_price() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    place(exchange, account, buy(exchange, ETH, "0.7"))
    position = account.positions["ETH"]
    entry = position.cost / position.size
    sold = place(exchange, account, sell(exchange, ETH, "0.3"))
    assert abs(position.cost / position.size - entry) < Decimal("0.00001")
    closed = sum(fill.closed_pnl for fill in account.fills)
    assert abs(closed - (sold.filled_value - sold.filled * entry)) < Decimal("0.00001")


def test_a_self_trade_cancels_the_resting_order() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    bid, ask = exchange.matcher.bbo("SOL")
    assert bid is not None
    assert ask is not None
    inside = to_tick((bid + ask) / 2, 2)
    mine = place(exchange, account, sell(exchange, SOL, "1", tif=Tif.GTC)._replace(px=inside))
    ((_, error),) = exchange.place(account, [buy(exchange, SOL, "1")._replace(px=inside)])
    assert mine.status is Status.SELF_TRADE_CANCELED
    assert error is not None
    assert account.fills == []


def test_a_stop_fires_and_its_sibling_is_cancelled() -> None:
    exchange, tape = make_exchange(scenario=FALLING)
    account = funded(exchange)
    exits = [
        sell(exchange, SOL, "5", tif=Tif.GTC, reduce_only=True)._replace(
            px=near(exchange, SOL, "0.5"),
            trigger=Trigger(near(exchange, SOL, factor), True, is_take_profit=factor > "1"),
        )
        for factor in ("1.2", "0.95")
    ]
    entry, profit, stop = (
        p.order for p in exchange.place(account, [buy(exchange, SOL, "5"), *exits], Grouping.CHILDREN)
    )
    assert (entry.status, profit.awaits_trigger, stop.awaits_trigger) == (Status.FILLED, True, True)
    exchange.advance(START + 4 * HOUR)
    assert (stop.status, profit.status) == (Status.FILLED, Status.SIBLING_FILLED_CANCELED)
    assert account.size_of("SOL") == 0
    assert {"trigger"} <= set(kinds(tape))
    assert stop.spec.trigger is not None
    assert account.fills[-1].px <= stop.spec.trigger.px


def test_a_stop_for_the_whole_position_closes_all_of_it() -> None:
    exchange, _ = make_exchange(scenario=FALLING)
    account = funded(exchange)
    place(exchange, account, buy(exchange, SOL, "5"))
    trigger = Trigger(near(exchange, SOL, "0.95"), is_market=True, is_take_profit=False)
    stop = sell(exchange, SOL, "0", "0.5", Tif.GTC, reduce_only=True, trigger=trigger)
    ((order, error),) = exchange.place(account, [stop], Grouping.POSITION)
    assert error is None
    place(exchange, account, buy(exchange, SOL, "3"))
    exchange.advance(START + 4 * HOUR)
    assert (order.status, order.filled, account.size_of("SOL")) == (Status.FILLED, Decimal(8), Decimal(0))


def test_children_of_an_unfilled_parent_are_cancelled_with_it() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    trigger = Trigger(near(exchange, SOL, "0.9"), is_market=True, is_take_profit=False)
    child = sell(exchange, SOL, "5", "0.8", Tif.GTC, reduce_only=True, trigger=trigger)
    entry, stop = exchange.place(account, [buy(exchange, SOL, "5", "0.95", Tif.GTC), child], Grouping.CHILDREN)
    assert stop.order.parent == entry.order.oid
    assert exchange.cancel(account, SOL, entry.order.oid) is None
    assert stop.order.status is Status.CANCELED


def test_a_trigger_on_the_wrong_side_is_refused() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    place(exchange, account, buy(exchange, SOL, "5"))
    above = Trigger(near(exchange, SOL, "1.1"), is_market=True, is_take_profit=False)
    ((_, error),) = exchange.place(account, [sell(exchange, SOL, "5", "0.9", Tif.GTC, reduce_only=True, trigger=above)])
    assert error == "Invalid TP/SL price. asset=2"


def test_a_stop_that_fires_passes_the_margin_check() -> None:
    exchange, _ = make_exchange(scenario=FALLING)
    account = funded(exchange, usdc=Decimal(1000))
    below = Trigger(near(exchange, SOL, "0.95"), is_market=True, is_take_profit=False)
    opening = place(exchange, account, sell(exchange, SOL, "20000", "0.5", Tif.GTC, trigger=below))
    affordable = place(exchange, account, sell(exchange, SOL, "10", "0.5", Tif.GTC, trigger=below))
    exchange.advance(START + 4 * HOUR)
    assert (opening.status, opening.filled) == (Status.MARGIN_CANCELED, Decimal(0))
    assert [update.status for update in account.history if update.order.oid == opening.oid] == [
        Status.OPEN,
        Status.TRIGGERED,
        Status.MARGIN_CANCELED,
    ]
    assert (affordable.status, account.size_of("SOL")) == (Status.FILLED, Decimal(-10))


@pytest.mark.parametrize("held", ["1", "-1"])
@pytest.mark.parametrize("parent_rests", [True, False])
def test_a_child_must_oppose_its_parents_position(held: str, parent_rests: bool) -> None:
    """Long 1, a parent that sells 0.1 at once, and a child that buys: it would add to the position, not reduce it."""
    exchange, _ = make_exchange()
    account = funded(exchange)
    is_long = held == "1"
    place(exchange, account, (buy if is_long else sell)(exchange, SOL, "1"))
    if parent_rests:
        parent = (sell if is_long else buy)(exchange, SOL, "0.5", "1.05" if is_long else "0.95", Tif.GTC)
    else:
        parent = (sell if is_long else buy)(exchange, SOL, "0.5")
    factor = "1.1" if is_long else "0.9"
    trigger = Trigger(near(exchange, SOL, factor), is_market=True, is_take_profit=False)
    child = (buy if is_long else sell)(exchange, SOL, "0.5", factor, Tif.GTC, reduce_only=True, trigger=trigger)
    (first, error), (second, refused) = exchange.place(account, [parent, child], Grouping.CHILDREN)
    assert error is None
    if parent_rests:  # its position is not known yet
        assert (refused, second.parent) == (None, first.oid)
    else:
        assert refused == "Reduce only order would increase position. asset=2"
        assert second.status is Status.REDUCE_ONLY_REJECTED
    same_side = child._replace(is_buy=parent.is_buy, trigger=trigger._replace(is_take_profit=True))
    _, (_, refused) = exchange.place(account, [parent, same_side], Grouping.CHILDREN)
    assert refused == "Reduce only order would increase position. asset=2"


def test_a_value_above_the_venues_maximum_is_refused() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange, usdc=Decimal(10**12))
    above = Trigger(near(exchange, SOL, "1.1"), is_market=True, is_take_profit=False)
    largest = Decimal(5_000_000) / near(exchange, SOL)
    for spec, is_refused in (
        (buy(exchange, SOL, "99999999999999999999", tif=Tif.GTC), True),
        (buy(exchange, SOL, f"{largest * 10:.2f}", "1.001", Tif.GTC), True),
        (buy(exchange, SOL, f"{largest * 10:.2f}", "0.999", Tif.GTC), False),
        (buy(exchange, SOL, f"{largest:.2f}", "1.001", Tif.GTC, trigger=above), True),
        (buy(exchange, SOL, f"{largest:.2f}", "0.999", Tif.GTC, trigger=above), False),
    ):
        ((order, error),) = exchange.place(account, [spec])
        assert (error == "Order has too large value. asset=2") is is_refused, spec
        assert order.is_open is not is_refused


def test_an_account_has_a_limit_of_open_orders() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange, usdc=Decimal(1_000_000))
    resting = [place(exchange, account, buy(exchange, SOL, "1", "0.5", Tif.GTC)) for _ in range(1000)]
    ((order, error),) = exchange.place(account, [buy(exchange, SOL, "1", "0.5", Tif.GTC)])
    assert (order.status, error) == (Status.TOO_MANY_REJECTED, "Too many open orders. Current limit is 1000. asset=2")
    place(exchange, account, buy(exchange, SOL, "1"))  # it does not rest
    closing = sell(exchange, SOL, "1", reduce_only=True)
    assert exchange.place(account, [closing])[0].order.status is Status.TOO_MANY_REJECTED
    account.volume += 5_000_000
    place(exchange, account, buy(exchange, SOL, "1", "0.5", Tif.GTC))
    stop = Trigger(near(exchange, SOL, "0.9"), is_market=True, is_take_profit=False)
    account.volume += 5_000_000
    waiting = sell(exchange, SOL, "1", "0.5", Tif.GTC, trigger=stop)
    assert exchange.place(account, [waiting])[0].order.status is Status.TOO_MANY_REJECTED
    for order in resting[:2]:
        assert exchange.cancel(account, SOL, order.oid) is None
    place(exchange, account, closing)
    place(exchange, account, waiting)


def test_a_backstop_says_so_in_its_fills() -> None:
    exchange, tape = make_exchange(scenario=CRASHING)
    account = funded(exchange, usdc=Decimal(1000))
    assert exchange.update_leverage(account, SOL, Leverage(is_cross=False, value=20)) is None
    place(exchange, account, buy(exchange, SOL, "100"))
    exchange.advance(START + HOUR)
    methods = {entry.data["method"] for entry in tape.entries(kind="liquidation")}
    assert "backstop" in methods
    assert {fill.liquidation.method for fill in account.fills if fill.liquidation} == methods


def test_funding_is_paid_every_hour_on_the_oracle() -> None:
    exchange, tape = make_exchange()
    account = funded(exchange)
    place(exchange, account, buy(exchange, BTC, "0.05"))
    exchange.advance(START + 3 * HOUR + 15)
    payments = [entry for entry in tape.entries(kind="funding") if entry.at > START + 15]
    assert [entry.at for entry in payments] == [START + hour * HOUR + 15 for hour in (1, 2, 3)]
    for entry in payments:
        hour = entry.at - 15
        assert entry.data["oraclePx"] == wire(exchange.market.oracle("BTC", hour))
        due = Decimal("0.05") * exchange.market.oracle("BTC", hour) * exchange.market.funding_rate("BTC", hour)
        assert abs(Decimal(entry.data["usdc"]) + due) < Decimal("0.000001")
    assert account.funding[-1].usdc == Decimal(payments[-1].data["usdc"])


@pytest.mark.parametrize("is_cross", [True, False])
def test_liquidation(is_cross: bool) -> None:
    exchange, tape = make_exchange(scenario=FALLING)
    account = funded(exchange, usdc=Decimal(1000))
    assert exchange.update_leverage(account, SOL, Leverage(is_cross, 10)) is None
    resting = place(exchange, account, buy(exchange, ETH, "0.01", "0.5", Tif.GTC))
    place(exchange, account, buy(exchange, SOL, "60"))
    limit = exchange.margins.liquidation_px(account, "SOL")
    assert limit is not None
    exchange.advance(START + 4 * HOUR)
    assert account.size_of("SOL") == 0
    first = next(tape.entries(kind="liquidation"))
    assert exchange.market.mark("SOL", first.at) <= limit
    assert exchange.market.mark("SOL", first.at - 500) > limit
    fill = account.fills[-1]
    assert fill.direction == f"Liquidated {'Cross' if is_cross else 'Isolated'} Long"
    assert fill.liquidation is not None
    assert fill.liquidation == (exchange.market.mark("SOL", fill.time), first.data["method"])
    assert resting.status is (Status.LIQUIDATED_CANCELED if is_cross else Status.OPEN)
    assert account.balance >= 0
    assert (account.balance < 200) is is_cross or account.balance > 0


def test_a_scheduled_cancel_fires_at_most_ten_times_a_day() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    for _ in range(10):
        order = place(exchange, account, buy(exchange, ETH, "0.1", "0.9", Tif.GTC))
        assert exchange.schedule_cancel(account, exchange.now + 5000) is None
        exchange.advance(exchange.now + 5000)
        assert order.status is Status.SCHEDULED_CANCEL
    assert exchange.schedule_cancel(account, exchange.now + 5000) is not None


def test_a_scheduled_cancel_can_require_volume() -> None:
    exchange, _ = make_exchange(rules=Rules(schedule_cancel_volume=Decimal(1_000_000)))
    text = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    assert exchange.schedule_cancel(funded(exchange), exchange.now + 5000) == text


@pytest.mark.parametrize("unique", [False, True])
def test_a_cloid_can_be_used_again(unique: bool) -> None:
    exchange, _ = make_exchange(rules=Rules(unique_cloids=unique))
    account = funded(exchange)
    spec = buy(exchange, ETH, "0.1", cloid="0x" + "1" * 32)
    first, second = (exchange.place(account, [spec])[0] for _ in range(2))
    assert first.order.oid != second.order.oid
    assert (second.error is None) is not unique
    assert account.size_of("ETH") == Decimal("0.1") * (1 if unique else 2)


def test_a_modified_order_must_rest() -> None:
    exchange, _ = make_exchange()
    account = funded(exchange)
    old = place(exchange, account, buy(exchange, ETH, "0.1", "0.9", Tif.GTC))
    refused = exchange.modify(account, old.oid, buy(exchange, ETH, "0.1", "1.1", Tif.GTC), always_place=False)
    assert isinstance(refused, str)
    assert refused.startswith("Post only order would have immediately matched")
    assert old.is_open
    for spec, text in (
        (buy(exchange, ETH, "0.1"), "A modified order must be able to rest."),
        (buy(exchange, ETH, "0.001", "0.9", Tif.GTC), "Order must have minimum value of $10. asset=1"),
    ):
        assert exchange.modify(account, old.oid, spec, always_place=False) == text
        assert old.is_open
    done = exchange.modify(account, old.oid, buy(exchange, ETH, "0.1", "1.1", Tif.GTC), always_place=True)
    assert not isinstance(done, str)
    assert (old.status, done.order.status) == (Status.CANCELED, Status.FILLED)
    again = exchange.modify(account, old.oid, buy(exchange, ETH, "0.1"), always_place=True)
    assert again == "Cannot modify canceled or filled order"


def test_the_tape_describes_orders() -> None:
    exchange, tape = make_exchange()
    place(exchange, funded(exchange), buy(exchange, ETH, "0.1", "0.9", Tif.GTC, cloid="0x" + "1" * 32))
    _, entry = Tape.entries(tape)
    assert entry.kind == "order_accepted"
    assert (entry.data["side"], entry.data["sz"], entry.data["tif"]) == ("B", "0.1", "Gtc")
    assert all(isinstance(entry.data[name], str) for name in ("px", "sz", "cloid", "account"))
