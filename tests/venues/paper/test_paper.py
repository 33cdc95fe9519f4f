"""Paper trading: real prices, fills that depend on the order alone, and no larger than the volume."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.fill import CashCause, CashEvent
from strandline.model.intent import Decision, ExecutionIntent, ExitReason
from strandline.model.mark import Mark, Quote
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.result import OrderStatus
from strandline.model.side import Side
from strandline.model.venue import VenueKey
from strandline.venues import registry
from strandline.venues.config import VenueConfig
from strandline.venues.factory import ExecutorFactory
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.paper.executor import PaperExecutor
from strandline.venues.paper.observer import PaperObserver
from strandline.venues.registry import find_venue
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.venues.intents import LIMITS, buy_intent, position_row_of, sell_intent

T0 = datetime(2026, 1, 1, tzinfo=UTC)
VENUES = (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)
venues = st.sampled_from(VENUES)
sides = st.sampled_from(Side)
mids = st.one_of(st.decimals("0.000001", 1, places=9), st.decimals(1, 100_000, places=4))
spreads = st.decimals(0, "0.003", places=6)


@dataclass
class ScriptedMarket:
    """An observer whose prices the test sets."""

    bid: Decimal = Decimal(99)
    ask: Decimal = Decimal(101)
    now: datetime = T0
    closed: int = 0
    quoted: list[str] = field(default_factory=list)

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        return {token: Mark(price=Price(self.bid), source="test", observed_at=self.now) for token in tokens}

    def quote(self, token_contract: str) -> Quote:
        self.quoted.append(token_contract)
        return Quote(token_contract=token_contract, bid=Price(self.bid), ask=Price(self.ask), observed_at=self.now)

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        raise AssertionError("a paper account is not at the venue")

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        raise AssertionError("a paper account is not at the venue")

    def close(self) -> None:
        self.closed += 1

    @classmethod
    def around(cls, mid: Decimal, spread: Decimal) -> "ScriptedMarket":
        return cls(bid=mid * (1 - spread / 2), ask=mid * (1 + spread / 2))

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


def venue_config(market: ScriptedMarket, **changes: Any) -> VenueConfig:
    return VenueConfig(**{"clock": lambda: market.now, "limits": LIMITS, "paper": True, **changes})


def costs_of(key: VenueKey) -> PaperCosts:
    venue = find_venue(key)
    assert venue
    return venue.paper_costs


def executor(market: ScriptedMarket, venue: VenueKey = HYPERLIQUID_PERPS) -> PaperExecutor:
    return PaperExecutor(venue, venue_config(market), market, costs_of(venue))


def intent(market: ScriptedMarket, side: Side, amount: str = "1000", **changes: Any) -> ExecutionIntent:
    """A buy for this many dollars, or a sell of this quantity."""
    changes = {"max_slippage_bps": 200, **changes}
    price, number = Price(market.mid), f"{amount} {side}"
    if side is Side.BUY:
        return buy_intent(HYPERLIQUID_PERPS, "ETH", amount, price, T0, number, **changes)
    return sell_intent(HYPERLIQUID_PERPS, "ETH", Quantity(amount), Decision.DEMOTE, price, T0, number, **changes)


def holding(quantity: str) -> Position:
    return position_row_of(HYPERLIQUID_PERPS, "ETH", Quantity(quantity))


def signed_order(trader: PaperExecutor, wanted: ExecutionIntent, position: Position | None = None) -> SignedOrder:
    return trader.sign(trader.prepare(wanted, position or position_row_of(HYPERLIQUID_PERPS, "ETH", None), 1), None)


def skip_reason(trader: PaperExecutor, wanted: ExecutionIntent, position: Position | None = None) -> str:
    with pytest.raises(SkipExecution) as caught:
        trader.prepare(wanted, position or position_row_of(HYPERLIQUID_PERPS, "ETH", None), 1)
    assert caught.value.detail
    return caught.value.reason


@given(venues, sides, mids, spreads, st.integers(50, 10_000), st.integers(20, 600))
def test_a_fill_is_no_better_than_the_market_and_no_worse_than_the_limit(
    venue: VenueKey, side: Side, mid: Decimal, spread: Decimal, dollars: int, bps: int
) -> None:
    market = ScriptedMarket.around(mid, spread)
    trader, held = executor(market, venue), str((Decimal(dollars) / mid).quantize(Decimal("1e-9")))
    amount = str(dollars) if side is Side.BUY else held
    order = signed_order(trader, intent(market, side, amount, venue=venue, max_slippage_bps=bps), holding(held))
    result = trader.execute(order)
    if result.status is OrderStatus.UNFILLED:
        return
    (fill,) = result.fills
    best = market.ask if side is Side.BUY else market.bid
    assert fill.price.decimal >= best if side is Side.BUY else fill.price.decimal <= best
    assert fill.price <= order.plan.limit_price if side is Side.BUY else fill.price >= order.plan.limit_price
    assert fill.quantity <= order.plan.quantity
    assert Money(0) < fill.fee <= fill.notional * costs_of(venue).fee
    assert (fill.venue, fill.side, fill.order_id) == (venue, side, order.order_id)
    assert fill.notional <= Money(dollars) if side is Side.BUY else fill.quantity <= Quantity(held)


@given(venues, sides, st.lists(st.sampled_from(["execute", "recover", "wait", "move"]), max_size=8))
def test_an_order_has_the_same_fill_however_often_it_is_executed(venue: VenueKey, side: Side, steps: list[str]) -> None:
    """Prices change, time passes, processes restart: the fill depends on the order alone, up to its deadline."""
    market = ScriptedMarket()
    order = signed_order(executor(market, venue), intent(market, side, "100", venue=venue), holding("100"))
    fills = set()
    for step in steps:
        if step == "wait":
            market.now += timedelta(seconds=70)
        elif step == "move":
            market.bid, market.ask = market.bid * 2, market.ask * 2
        else:
            result = getattr(executor(market, venue), step)(order)
            late = market.now > order.plan.deadline
            assert result.status is (OrderStatus.DEAD if late else OrderStatus.FILLED)
            fills.update(result.fills)
    assert len(fills) <= 1


def test_an_unexecuted_order_is_dead_after_its_deadline() -> None:
    market = ScriptedMarket()
    order = signed_order(executor(market), intent(market, Side.BUY))
    market.now = order.plan.deadline
    assert executor(market).recover(order).status is OrderStatus.FILLED
    market.now += timedelta(microseconds=1)
    assert executor(market).recover(order).status is OrderStatus.DEAD
    assert executor(market).execute(order).status is OrderStatus.DEAD


def test_another_attempt_is_another_fill() -> None:
    market = ScriptedMarket()
    trader, wanted = executor(market), intent(market, Side.BUY)
    orders = [
        trader.sign(trader.prepare(wanted, position_row_of(HYPERLIQUID_PERPS, "ETH", None), attempt), None)
        for attempt in (1, 2)
    ]
    assert len({fill.venue_fill_id for order in orders for fill in trader.execute(order).fills}) == 2


def test_the_signed_bytes_contain_the_plan() -> None:
    market = ScriptedMarket()
    order = signed_order(executor(market), intent(market, Side.BUY))
    assert from_json(order.signed_bytes, ExecutionPlan) == order.plan
    assert order.signed_bytes == canonical_bytes(order.plan)
    assert (order.plan.kind, order.nonce, order.address) == (OrderKind.PAPER, None, "paper")
    with pytest.raises(ValueError, match="nonce"):
        executor(market).sign(order.plan, 1)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("side", Side)
def test_an_order_fills_no_more_than_the_volume(venue: VenueKey, side: Side) -> None:
    market, most = ScriptedMarket(), costs_of(venue).max_notional
    held = most.decimal / 10
    amount = str(held * 100) if side is Side.BUY else str(held)
    trader = executor(market, venue)
    result = trader.execute(signed_order(trader, intent(market, side, amount, venue=venue), holding(str(held))))
    best = Price(market.ask if side is Side.BUY else market.bid)
    assert most.decimal * Decimal("0.999") < (best * result.filled).decimal <= most.decimal


def test_larger_orders_slip_further() -> None:
    market = ScriptedMarket()
    trader = executor(market)
    slips = [
        trader.execute(signed_order(trader, intent(market, Side.BUY, amount))).slippage_bps
        for amount in ("100", "10000", "100000")
    ]
    assert all(slip is not None for slip in slips)
    assert slips == sorted(slips, key=lambda slip: slip or 0)
    assert len(set(slips)) == 3


def test_a_spread_beyond_the_limit_fills_nothing() -> None:
    market = ScriptedMarket()
    trader = executor(market)
    result = trader.execute(signed_order(trader, intent(market, Side.BUY, max_slippage_bps=50)))
    assert (result.status, result.fills) == (OrderStatus.UNFILLED, ())


def test_skip_reasons() -> None:
    market = ScriptedMarket()
    trader = executor(market)
    assert skip_reason(trader, intent(market, Side.BUY, "9.9")) == "min_notional"
    assert skip_reason(trader, intent(market, Side.SELL, "0.05"), holding("0.05")) == "dust"
    assert (
        skip_reason(trader, intent(market, Side.SELL, "1"), position_row_of(HYPERLIQUID_PERPS, "ETH", None))
        == "nothing_to_sell"
    )
    assert skip_reason(trader, intent(market, Side.SELL, "1", max_slippage_bps=10_000), holding("1")) == "rounding"
    for price in ("103", "97"):
        assert skip_reason(trader, intent(market, Side.BUY, decision_price=Price(price))) == "price_drift"
        late = intent(market, Side.SELL, "1", decision_price=Price(price))
        assert trader.prepare(late, holding("1"), 1).quantity == Quantity(1)
    market.now += timedelta(seconds=300)
    assert skip_reason(trader, intent(market, Side.BUY)) == "expired"


def test_an_exit_sells_no_more_than_the_row_holds() -> None:
    market = ScriptedMarket()
    trader = executor(market)

    def sold(wanted: str, held: str, decision: Decision = Decision.DEMOTE) -> Quantity:
        reason = None if decision is Decision.TRIM else ExitReason.STOP
        sell = intent(market, Side.SELL, wanted, decision=decision, exit_reason=reason)
        return trader.prepare(sell, holding(held), 1).quantity

    assert sold("5", "3") == Quantity(3)
    assert sold("3", "5") == Quantity(5)  # read at prepare
    assert sold("3", "5", Decision.TRIM) == Quantity(3)
    assert sold("5", "3", Decision.TRIM) == Quantity(3)


@pytest.mark.parametrize("venue", VENUES)
def test_the_observer(venue: VenueKey) -> None:
    market = ScriptedMarket()
    observer = PaperObserver(venue, venue_config(market, opening_cash=Money("5000.5")), market)
    (event,) = observer.opening("paper")
    assert (event.venue, event.cause, event.asset) == (venue, CashCause.DEPOSIT, "USDC")
    assert (event.amount, event.usd, event.ts) == (Amount("5000.5"), Money("5000.5"), T0)
    market.now += timedelta(days=1)
    assert observer.opening("paper")[0].venue_event_id == event.venue_event_id
    assert observer.cash_events("paper", T0) == ()
    assert observer.quote("ETH").ask == Price(101)
    assert set(observer.marks(["ETH"])) == {"ETH"}
    assert PaperObserver(venue, venue_config(market), market).opening("paper") == ()


def test_closing_closes_the_venues_observer() -> None:
    market = ScriptedMarket()
    executor(market).close()
    PaperObserver(HYPERLIQUID_PERPS, venue_config(market), market).close()
    assert market.closed == 2


def test_the_account_is_the_configured_one() -> None:
    market = ScriptedMarket()
    config = replace(venue_config(market), address="0xabc")
    assert PaperExecutor(HYPERLIQUID_PERPS, config, market, costs_of(HYPERLIQUID_PERPS)).address == "0xabc"


@given(venues, sides)
def test_fill_ids_are_the_same_in_every_process(venue: VenueKey, side: Side) -> None:
    market = ScriptedMarket()
    order = signed_order(executor(market, venue), intent(market, side, "100", venue=venue), holding("100"))
    copy = from_json(canonical_bytes(order), SignedOrder)
    for one in (order, copy):
        (fill,) = executor(market, venue).execute(one).fills
        assert fill.venue_fill_id == f"paper:{order.plan.order_id}"


@pytest.mark.parametrize("paper", [True, False])
def test_the_real_account_is_read_only_where_orders_are_real(monkeypatch: pytest.MonkeyPatch, paper: bool) -> None:
    market = ScriptedMarket()
    venue = find_venue(HYPERLIQUID_PERPS)
    assert venue
    monkeypatch.setattr(registry, "VENUES", [replace(venue, observer=lambda _: market)])
    factory = ExecutorFactory(
        {HYPERLIQUID_PERPS: venue_config(market, paper=paper, opening_cash=Money(7), address="0xabc")}
    )
    observer = factory.observer(HYPERLIQUID_PERPS)
    if paper:
        assert [event.usd for event in observer.opening("0xabc")] == [Money(7)]
        assert observer.cash_events("0xabc", T0) == ()
        assert isinstance(factory.executor(HYPERLIQUID_PERPS), PaperExecutor)
    else:
        with pytest.raises(AssertionError, match="not at the venue"):
            observer.opening("0xabc")
