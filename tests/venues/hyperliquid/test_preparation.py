"""What may be traded here and now, how much of it, and at which price."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.model.errors import StrandlineError
from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.result import OrderStatus
from strandline.venues.hyperliquid.executor import HyperliquidExecutor
from strandline.venues.hyperliquid.rest import HyperliquidError
from strandline.venues.hyperliquid.wire import milliseconds
from strandline_sim.faults import FaultKind
from strandline_sim.hyperliquid.numbers import is_size, is_tick
from tests.venues.hyperliquid.box import LIMITS, Box, row

LEVERAGE = "hyperliquid/exchange/updateLeverage"


def change(box: Box, kind: str, alter: Callable[[Any], None]) -> None:
    """Let the venue answer otherwise."""
    truth = box.answers[kind]

    def answer(query: dict[str, Any]) -> Any:
        told = msgspec.json.decode(msgspec.json.encode(truth(query)))
        alter(told)
        return told

    box.answers[kind] = answer


def listed(number: int, **changes: Any) -> Callable[[Any], None]:
    return lambda told: told[0]["universe"][number].update(changes)


def context_row(number: int, **changes: Any) -> Callable[[Any], None]:
    return lambda told: told[1][number].update(changes)


def bought(box: Box, executor: HyperliquidExecutor, dollars: str = "1000") -> Quantity:
    return executor.execute(box.ordered(executor, box.buy(dollars=dollars))).filled


def skipped(executor: HyperliquidExecutor, intent: ExecutionIntent, position: Position | None = None) -> str:
    with pytest.raises(SkipExecution) as no:
        executor.prepare(intent, position or row(), 1)
    assert no.value.detail
    return no.value.reason


def test_an_entry(box: Box) -> None:
    with box.executor(box.key()) as executor:
        intent = box.buy(dollars="1000")
        plan = executor.prepare(intent, row(), 3)
    assert (plan.intent_id, plan.attempt, plan.kind) == (intent.intent_id, 3, OrderKind.IOC)
    assert plan.limit_price <= intent.decision_price.scaled(Ratio("1.005"))
    assert Money(999) < plan.notional <= Money(1000)
    assert box.now() < plan.deadline <= box.now() + timedelta(seconds=30)
    assert plan.details["reference_price"] == str(intent.decision_price)


def test_an_order_does_not_outlive_its_intent(box: Box) -> None:
    with box.executor(box.key()) as executor:
        soon = box.now() + timedelta(seconds=7)
        assert executor.prepare(box.buy(expires_at=soon), row(), 1).deadline == soon


@given(
    coin=st.sampled_from(["BTC", "ETH", "SOL"]),
    dollars=st.decimals("10.5", 5000, places=2),
    bps=st.integers(20, 2000),
    drift=st.integers(-19, 19),
)
@settings(max_examples=30)
def test_every_entry_is_valid_at_the_venue(shared: Box, coin: str, dollars: Decimal, bps: int, drift: int) -> None:
    with shared.executor(shared.key()) as executor:
        decided = shared.price(coin).scaled(Ratio(Decimal(10_000 + drift) / 10_000))
        intent = shared.buy(coin, str(dollars), max_slippage_bps=bps, decision_price=decided)
        try:
            plan = executor.prepare(intent, row(coin=coin), 1)
        except SkipExecution as no:
            assert (no.reason, dollars < 12) == ("min_notional", True)
            return
        _valid(shared, plan)
        assert plan.notional <= Money(dollars)
        assert plan.limit_price <= decided.scaled(Ratio(1 + Decimal(bps) / 10_000))


def _valid(box: Box, plan: ExecutionPlan) -> None:
    decimals = box.venue.exchange.by_name[plan.token_contract].sz_decimals
    assert is_tick(plan.limit_price.decimal, decimals)
    assert is_size(plan.quantity.decimal, decimals)
    assert plan.notional >= Money(10)


def test_leverage_is_set_once_and_before_the_order(box: Box) -> None:
    key = box.key()
    with box.executor(key) as executor:
        for _ in range(2):
            executor.prepare(box.buy(), row(), 1)
    mine = [e.data["leverage"] for e in box.tape.entries(kind="leverage") if e.data["account"] == key.address.lower()]
    assert mine == [1]


def test_exits_set_no_leverage(box: Box) -> None:
    key = box.key()
    with box.executor(key) as executor:
        held = bought(box, executor)
        box.fault(FaultKind.STATUS, "hyperliquid/exchange/*", times=None, value=502)
        plan = executor.prepare(box.sell(held), row(held), 1)
    assert plan.reduce_only
    assert "leverage" not in plan.details


@pytest.mark.parametrize(("funding", "leverage"), [("0.0001", 5), ("0.00126", 2), ("-0.00126", 2)])
def test_dear_funding_caps_leverage(box: Box, funding: str, leverage: int) -> None:
    change(box, "metaAndAssetCtxs", context_row(1, funding=funding))
    limits = msgspec.structs.replace(LIMITS, leverage=5.0)
    with box.executor(box.key(), limits=limits) as executor:
        assert executor.prepare(box.buy(), row(), 1).details["leverage"] == str(leverage)


def test_leverage_is_a_whole_number_that_the_venue_allows(box: Box) -> None:
    for wanted, coin, told in ((50.0, "SOL", "20"), (3.9, "SOL", "3"), (0.5, "SOL", "1")):
        limits = msgspec.structs.replace(LIMITS, leverage=wanted)
        with box.executor(box.key(), limits=limits) as executor:
            assert executor.prepare(box.buy(coin), row(coin=coin), 1).details["leverage"] == told


def test_an_entry_without_leverage_set_is_not_made(box: Box) -> None:
    with box.executor(box.key()) as executor:
        box.fault(FaultKind.DROP_REQUEST, LEVERAGE)
        with pytest.raises(HyperliquidError):
            executor.prepare(box.buy(), row(), 1)
        assert executor.prepare(box.buy(), row(), 1).details["leverage"] == "1"


def test_an_isolated_position_keeps_entries_out(box: Box) -> None:
    key = box.key()
    with box.executor(key) as executor:
        assert bought(box, executor)
        account = box.venue.exchange.account(key.address.lower())
        assert account is not None
        account.leverages["ETH"] = account.leverages["ETH"]._replace(is_cross=False)
        account.positions["ETH"].isolated = Decimal(1000)
        box.later(1)
        assert skipped(executor, box.buy()) == "leverage"


@pytest.mark.parametrize(
    ("reason", "kind", "alter"),
    [
        ("maintenance", "exchangeStatus", lambda told: told.update(specialStatuses="upgrade")),
        ("delisted", "metaAndAssetCtxs", listed(1, isDelisted=True)),
        ("unknown_instrument", "metaAndAssetCtxs", listed(1, name="XYZ")),
    ],
)
def test_what_keeps_everybody_from_trading(box: Box, reason: str, kind: str, alter: Callable[[Any], None]) -> None:
    with box.executor(box.key()) as executor:
        held = bought(box, executor)
        buy, sell = box.buy(), box.sell(held)
        change(box, kind, alter)
        assert skipped(executor, buy) == reason
        assert skipped(executor, sell, row(held)) == reason


def test_expired(box: Box) -> None:
    with box.executor(box.key()) as executor:
        intent = box.buy()
        box.later(300)
        assert skipped(executor, intent) == "expired"


@pytest.mark.parametrize(
    ("reason", "alter"),
    [
        ("funding", context_row(1, funding="0.00626")),
        ("funding", context_row(1, funding="-0.00626")),
        ("leverage", listed(1, onlyIsolated=True)),
        ("price_drift", context_row(1, midPx="3500.0")),
        ("price_drift", context_row(1, midPx="2500.0")),
    ],
)
def test_what_keeps_entries_out_lets_exits_go(box: Box, reason: str, alter: Callable[[Any], None]) -> None:
    with box.executor(box.key()) as executor:
        held = bought(box, executor)
        buy, sell = box.buy(), box.sell(held)
        change(box, "metaAndAssetCtxs", alter)
        assert skipped(executor, buy) == reason
        assert executor.prepare(sell, row(held), 1).quantity == held


def test_an_exit_follows_the_price_down(box: Box) -> None:
    """Its budget counts from the price of now: one that counts from the decision's would never be filled."""
    with box.executor(box.key()) as executor:
        held = bought(box, executor)
        plan = executor.prepare(box.sell(held, decision_price=box.price().scaled(Ratio("1.5"))), row(held), 1)
    assert box.price().scaled(Ratio("0.995")) <= plan.limit_price < box.price()


def test_without_a_mid_the_mark_counts(box: Box) -> None:
    change(box, "metaAndAssetCtxs", context_row(1, midPx=None))
    with box.executor(box.key()) as executor:
        assert (
            executor.prepare(box.buy(), row(), 1).details["venue_price"]
            == box.answers["metaAndAssetCtxs"]({})[1][1]["markPx"]
        )


def test_too_little(box: Box) -> None:
    with box.executor(box.key()) as executor:
        assert skipped(executor, box.buy(dollars="9.99")) == "min_notional"
        assert skipped(executor, box.buy("BTC", dollars="10")) == "min_notional"  # whole lots of it cost less


def test_too_little_to_sell(box: Box) -> None:
    with box.executor(box.key()) as executor:
        bought(box, executor)
        dust = Quantity("0.003")
        assert skipped(executor, box.sell(dust), row(dust)) == "dust"
        less_than_a_lot = Quantity("0.00004")
        assert skipped(executor, box.sell(less_than_a_lot), row(less_than_a_lot)) == "dust"


def test_no_price_that_the_venue_takes(box: Box) -> None:
    with box.executor(box.key()) as executor:
        intent = box.buy(decision_price=Price("0.000001"))
        change(box, "metaAndAssetCtxs", context_row(1, midPx="0.000001"))
        assert skipped(executor, intent) == "rounding"


def test_money_that_is_not_there(box: Box) -> None:
    with box.executor(box.key("500")) as executor:
        assert skipped(executor, box.buy(dollars="501")) == "insufficient_balance"
        assert bought(box, executor, "400")
        assert skipped(executor, box.buy(dollars="110")) == "insufficient_balance"
        assert executor.prepare(box.buy(dollars="50"), row(), 1).notional <= Money(50)


def test_an_entry_needs_its_fee_besides_its_margin(box: Box) -> None:
    with box.executor(box.key("1000")) as executor:
        assert skipped(executor, box.buy(dollars="1000")) == "insufficient_balance"
        plan = executor.prepare(box.buy(dollars="999.5"), row(), 1)
        assert executor.execute(executor.sign(plan, milliseconds(box.now()))).status is OrderStatus.FILLED


def test_an_exit_sells_what_the_row_holds_and_the_venue_has(box: Box) -> None:
    with box.executor(box.key()) as executor:
        held = bought(box, executor)
        half = held.scaled(Ratio("0.5")).in_lots(Quantity("0.0001"))
        assert executor.prepare(box.sell(held), row(half), 1).quantity == half
        assert executor.prepare(box.sell(half), row(held), 1).quantity == held  # read at prepare
        assert executor.prepare(box.sell(half, decision=Decision.TRIM), row(held), 1).quantity == half
        assert executor.prepare(box.sell(held, decision=Decision.TRIM), row(half), 1).quantity == half
        assert executor.prepare(box.sell(held), row(held + held), 1).quantity == held
        assert skipped(executor, box.sell(held), row()) == "nothing_to_sell"
    with box.executor(box.key()) as executor:
        assert skipped(executor, box.sell(held), row(held)) == "nothing_to_sell"


def test_a_venue_that_cannot_be_asked(box: Box) -> None:
    with box.executor(box.key()) as executor:
        intent = box.buy()
        box.fault(FaultKind.STATUS, "hyperliquid/info/*", times=2, value=502)
        assert executor.prepare(intent, row(), 1).intent_id == intent.intent_id
        box.fault(FaultKind.STATUS, "hyperliquid/info/*", times=None, value=502)
        with pytest.raises(HyperliquidError):
            executor.prepare(intent, row(), 1)


@pytest.mark.parametrize("secret", [None, "", "0xsecret", "11" * 31])
def test_a_key_that_is_none_is_told_without_repeating_it(box: Box, secret: str | None) -> None:
    access = box.access(key=secret)
    with pytest.raises(StrandlineError) as error:
        HyperliquidExecutor(access)
    assert "STRANDLINE_HYPERLIQUID_KEY" in str(error.value)
    assert not secret or secret not in str(error.value)
