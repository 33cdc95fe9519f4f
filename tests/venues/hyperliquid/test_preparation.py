"""Plans of orders: whether, how much, and at which price to trade."""

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
from tests.venues.hyperliquid.simulated_hyperliquid import SimulatedHyperliquid, position_row
from tests.venues.intents import LIMITS

LEVERAGE = "hyperliquid/exchange/updateLeverage"


def change(simulated: SimulatedHyperliquid, kind: str, alter: Callable[[Any], None]) -> None:
    """Replace a handler of `/info`."""
    truth = simulated.answers[kind]

    def answer(query: dict[str, Any]) -> Any:
        response = msgspec.json.decode(msgspec.json.encode(truth(query)))
        alter(response)
        return response

    simulated.answers[kind] = answer


def listed(number: int, **changes: Any) -> Callable[[Any], None]:
    return lambda response: response[0]["universe"][number].update(changes)


def context_row(number: int, **changes: Any) -> Callable[[Any], None]:
    return lambda response: response[1][number].update(changes)


def bought(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor, dollars: str = "1000") -> Quantity:
    return executor.execute(simulated.signed_order(executor, simulated.buy(dollars=dollars))).filled


def skipped(executor: HyperliquidExecutor, intent: ExecutionIntent, position: Position | None = None) -> str:
    with pytest.raises(SkipExecution) as no:
        executor.prepare(intent, position or position_row(), 1)
    assert no.value.detail
    return no.value.reason


def test_the_plan_of_an_entry(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        intent = simulated.buy(dollars="1000")
        plan = executor.prepare(intent, position_row(), 3)
    assert (plan.intent_id, plan.attempt, plan.kind) == (intent.intent_id, 3, OrderKind.IOC)
    assert plan.limit_price <= intent.decision_price.scaled(Ratio("1.005"))
    assert Money(999) < plan.notional <= Money(1000)
    assert simulated.now() < plan.deadline <= simulated.now() + timedelta(seconds=30)
    assert plan.details["reference_price"] == str(intent.decision_price)


def test_an_order_does_not_outlive_its_intent(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        soon = simulated.now() + timedelta(seconds=7)
        assert executor.prepare(simulated.buy(expires_at=soon), position_row(), 1).deadline == soon


@given(
    coin=st.sampled_from(["BTC", "ETH", "SOL"]),
    dollars=st.decimals("10.5", 5000, places=2),
    bps=st.integers(20, 2000),
    drift=st.integers(-19, 19),
)
@settings(max_examples=30)
def test_every_entry_is_valid_at_the_venue(
    shared: SimulatedHyperliquid, coin: str, dollars: Decimal, bps: int, drift: int
) -> None:
    with shared.executor(shared.wallet()) as executor:
        decided = shared.price(coin).scaled(Ratio(Decimal(10_000 + drift) / 10_000))
        intent = shared.buy(coin, str(dollars), max_slippage_bps=bps, decision_price=decided)
        try:
            plan = executor.prepare(intent, position_row(coin=coin), 1)
        except SkipExecution as no:
            assert (no.reason, dollars < 12) == ("min_notional", True)
            return
        _valid(shared, plan)
        assert plan.notional <= Money(dollars)
        assert plan.limit_price <= decided.scaled(Ratio(1 + Decimal(bps) / 10_000))


def _valid(simulated: SimulatedHyperliquid, plan: ExecutionPlan) -> None:
    decimals = simulated.venue.exchange.by_name[plan.token_contract].sz_decimals
    assert is_tick(plan.limit_price.decimal, decimals)
    assert is_size(plan.quantity.decimal, decimals)
    assert plan.notional >= Money(10)


def test_leverage_is_set_once_and_before_the_order(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    with simulated.executor(key) as executor:
        for _ in range(2):
            executor.prepare(simulated.buy(), position_row(), 1)
    mine = [
        e.data["leverage"] for e in simulated.tape.entries(kind="leverage") if e.data["account"] == key.address.lower()
    ]
    assert mine == [1]


def test_exits_set_no_leverage(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    with simulated.executor(key) as executor:
        held = bought(simulated, executor)
        simulated.inject(FaultKind.STATUS, "hyperliquid/exchange/*", times=None, value=502)
        plan = executor.prepare(simulated.sell(held), position_row(held), 1)
    assert plan.reduce_only
    assert "leverage" not in plan.details


@pytest.mark.parametrize(("funding", "leverage"), [("0.0001", 5), ("0.00126", 2), ("-0.00126", 2)])
def test_expensive_funding_caps_leverage(simulated: SimulatedHyperliquid, funding: str, leverage: int) -> None:
    change(simulated, "metaAndAssetCtxs", context_row(1, funding=funding))
    limits = msgspec.structs.replace(LIMITS, leverage=5.0)
    with simulated.executor(simulated.wallet(), limits=limits) as executor:
        assert executor.prepare(simulated.buy(), position_row(), 1).details["leverage"] == str(leverage)


def test_leverage_is_a_valid_whole_number(simulated: SimulatedHyperliquid) -> None:
    for wanted, coin, expected in ((50.0, "SOL", "20"), (3.9, "SOL", "3"), (0.5, "SOL", "1")):
        limits = msgspec.structs.replace(LIMITS, leverage=wanted)
        with simulated.executor(simulated.wallet(), limits=limits) as executor:
            assert executor.prepare(simulated.buy(coin), position_row(coin=coin), 1).details["leverage"] == expected


def test_an_entry_is_skipped_if_leverage_cannot_be_set(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        simulated.inject(FaultKind.DROP_REQUEST, LEVERAGE)
        with pytest.raises(HyperliquidError):
            executor.prepare(simulated.buy(), position_row(), 1)
        assert executor.prepare(simulated.buy(), position_row(), 1).details["leverage"] == "1"


def test_an_isolated_position_blocks_entries(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    with simulated.executor(key) as executor:
        assert bought(simulated, executor)
        account = simulated.venue.exchange.account(key.address.lower())
        assert account is not None
        account.leverages["ETH"] = account.leverages["ETH"]._replace(is_cross=False)
        account.positions["ETH"].isolated = Decimal(1000)
        simulated.advance(1)
        assert skipped(executor, simulated.buy()) == "leverage"


@pytest.mark.parametrize(
    ("reason", "kind", "alter"),
    [
        ("maintenance", "exchangeStatus", lambda response: response.update(specialStatuses="upgrade")),
        ("delisted", "metaAndAssetCtxs", listed(1, isDelisted=True)),
        ("unknown_instrument", "metaAndAssetCtxs", listed(1, name="XYZ")),
    ],
)
def test_conditions_that_block_every_order(
    simulated: SimulatedHyperliquid, reason: str, kind: str, alter: Callable[[Any], None]
) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        held = bought(simulated, executor)
        buy, sell = simulated.buy(), simulated.sell(held)
        change(simulated, kind, alter)
        assert skipped(executor, buy) == reason
        assert skipped(executor, sell, position_row(held)) == reason


def test_an_expired_intent(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        intent = simulated.buy()
        simulated.advance(300)
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
def test_conditions_that_block_entries_do_not_block_exits(
    simulated: SimulatedHyperliquid, reason: str, alter: Callable[[Any], None]
) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        held = bought(simulated, executor)
        buy, sell = simulated.buy(), simulated.sell(held)
        change(simulated, "metaAndAssetCtxs", alter)
        assert skipped(executor, buy) == reason
        assert executor.prepare(sell, position_row(held), 1).quantity == held


def test_an_exit_follows_the_price_down(simulated: SimulatedHyperliquid) -> None:
    """Its budget is relative to the current price: relative to the decision's it would never be filled."""
    with simulated.executor(simulated.wallet()) as executor:
        held = bought(simulated, executor)
        plan = executor.prepare(
            simulated.sell(held, decision_price=simulated.price().scaled(Ratio("1.5"))), position_row(held), 1
        )
    assert simulated.price().scaled(Ratio("0.995")) <= plan.limit_price < simulated.price()


def test_the_mark_replaces_a_missing_mid(simulated: SimulatedHyperliquid) -> None:
    change(simulated, "metaAndAssetCtxs", context_row(1, midPx=None))
    with simulated.executor(simulated.wallet()) as executor:
        assert (
            executor.prepare(simulated.buy(), position_row(), 1).details["venue_price"]
            == simulated.answers["metaAndAssetCtxs"]({})[1][1]["markPx"]
        )


def test_a_buy_below_the_minimum(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        assert skipped(executor, simulated.buy(dollars="9.99")) == "min_notional"
        assert skipped(executor, simulated.buy("BTC", dollars="10")) == "min_notional"  # whole lots of it cost less


def test_a_sell_below_the_minimum(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        bought(simulated, executor)
        dust = Quantity("0.003")
        assert skipped(executor, simulated.sell(dust), position_row(dust)) == "dust"
        less_than_a_lot = Quantity("0.00004")
        assert skipped(executor, simulated.sell(less_than_a_lot), position_row(less_than_a_lot)) == "dust"


def test_no_valid_price(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        intent = simulated.buy(decision_price=Price("0.000001"))
        change(simulated, "metaAndAssetCtxs", context_row(1, midPx="0.000001"))
        assert skipped(executor, intent) == "rounding"


def test_insufficient_margin(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet("500")) as executor:
        assert skipped(executor, simulated.buy(dollars="501")) == "insufficient_balance"
        assert bought(simulated, executor, "400")
        assert skipped(executor, simulated.buy(dollars="110")) == "insufficient_balance"
        assert executor.prepare(simulated.buy(dollars="50"), position_row(), 1).notional <= Money(50)


def test_an_entry_needs_its_fee_besides_its_margin(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet("1000")) as executor:
        assert skipped(executor, simulated.buy(dollars="1000")) == "insufficient_balance"
        plan = executor.prepare(simulated.buy(dollars="999.5"), position_row(), 1)
        assert executor.execute(executor.sign(plan, milliseconds(simulated.now()))).status is OrderStatus.FILLED


def test_an_exit_sells_what_the_row_holds_and_the_venue_has(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        held = bought(simulated, executor)
        half = held.scaled(Ratio("0.5")).in_lots(Quantity("0.0001"))
        assert executor.prepare(simulated.sell(held), position_row(half), 1).quantity == half
        assert executor.prepare(simulated.sell(half), position_row(held), 1).quantity == held  # read at prepare
        assert executor.prepare(simulated.sell(half, decision=Decision.TRIM), position_row(held), 1).quantity == half
        assert executor.prepare(simulated.sell(held, decision=Decision.TRIM), position_row(half), 1).quantity == half
        assert executor.prepare(simulated.sell(held), position_row(held + held), 1).quantity == held
        assert skipped(executor, simulated.sell(held), position_row()) == "nothing_to_sell"
    with simulated.executor(simulated.wallet()) as executor:
        assert skipped(executor, simulated.sell(held), position_row(held)) == "nothing_to_sell"


def test_an_unreachable_venue(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet()) as executor:
        intent = simulated.buy()
        simulated.inject(FaultKind.STATUS, "hyperliquid/info/*", times=2, value=502)
        assert executor.prepare(intent, position_row(), 1).intent_id == intent.intent_id
        simulated.inject(FaultKind.STATUS, "hyperliquid/info/*", times=None, value=502)
        with pytest.raises(HyperliquidError):
            executor.prepare(intent, position_row(), 1)


@pytest.mark.parametrize("secret", [None, "", "0xsecret", "11" * 31])
def test_an_invalid_key_is_reported_without_repeating_it(simulated: SimulatedHyperliquid, secret: str | None) -> None:
    access = simulated.config(key=secret)
    with pytest.raises(StrandlineError) as error:
        HyperliquidExecutor(access)
    assert "STRANDLINE_HYPERLIQUID_KEY" in str(error.value)
    assert not secret or secret not in str(error.value)
