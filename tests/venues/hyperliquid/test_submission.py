"""Whatever fails: the reported result of an order is what the venue did, and it did it once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.model.exact import Money, Quantity
from strandline.model.order import SignedOrder
from strandline.model.plan import OrderKind
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.venues.hyperliquid.executor import HyperliquidExecutor
from strandline_sim.faults import FaultKind, Rule
from tests.strandline_sim.hyperliquid.sample_venue import START
from tests.venues.hyperliquid.simulated_hyperliquid import ORDER, SimulatedHyperliquid, position_row

NOOP = "hyperliquid/exchange/noop"
SHORT = {"request": 0.1, "order": 0.1, "attempts": 2, "fill_polls": 2}


def resolved(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor, order: SignedOrder) -> ExecutionResult:
    """Recover the order, after its expiry if needed."""
    reasons = []
    for _ in range(12):
        found = executor.recover(order)
        if isinstance(found, ExecutionResult):
            return found
        reasons.append(found.reason)
        simulated.advance(5)
    raise AssertionError(f"still not known: {reasons}")


def agrees(simulated: SimulatedHyperliquid, order: SignedOrder, result: ExecutionResult) -> None:
    """Assert that the result agrees with the tape and with itself, also after the bytes arrive again."""
    simulated.resend(order)
    assert len(simulated.tape_entries(order, "order_accepted")) <= 1
    reported = {(str(f.price), str(f.quantity), str(f.fee)) for f in result.fills}
    happened = {
        tuple(str(Quantity(entry.data[name])) for name in ("px", "sz", "fee"))
        for entry in simulated.tape_entries(order, "fill")
    }
    assert reported == happened
    assert (
        len({fill.venue_fill_id for fill in result.fills})
        == len(result.fills)
        == len(simulated.tape_entries(order, "fill"))
    )
    assert (result.status is OrderStatus.FILLED) == bool(happened)
    assert all((f.order_id, f.side, f.token_contract) == _named(order) for f in result.fills)
    assert result.fees == sum((fill.fee for fill in result.fills), Money(0))


def _named(order: SignedOrder) -> tuple[Any, ...]:
    return order.order_id, order.plan.side, order.plan.token_contract


@pytest.fixture
def executor(simulated: SimulatedHyperliquid) -> Iterator[HyperliquidExecutor]:
    with simulated.executor(simulated.wallet()) as opened:
        yield opened


def test_a_buy_and_a_sell(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    with simulated.executor(key) as executor:
        buy = simulated.signed_order(executor, simulated.buy())
        opened = executor.execute(buy)
        assert (opened.status, opened.filled) == (OrderStatus.FILLED, buy.plan.quantity)
        assert opened.slippage_bps is not None
        assert 0 < opened.slippage_bps <= 50
        sell = simulated.signed_order(executor, simulated.sell(opened.filled), position_row(opened.filled))
        closed = executor.execute(sell)
        assert closed.filled == opened.filled
        assert not simulated.held(key)
        for order, result in ((buy, opened), (sell, closed)):
            agrees(simulated, order, result)
            again = executor.recover(order)
            assert isinstance(again, ExecutionResult)
            assert again.fills == result.fills


def test_signing_is_pure(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    plan = executor.prepare(simulated.buy(), position_row(), 1)
    order = executor.sign(plan, 7)
    simulated.advance(1)
    assert executor.sign(plan, 7) == order
    assert executor.sign(plan, 8).signed_bytes != order.signed_bytes
    assert order.client_order_id == f"0x{plan.order_id.hex}"
    assert plan.kind is OrderKind.IOC
    with pytest.raises(ValueError, match="nonce"):
        executor.sign(plan, None)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FaultKind.DROP_ANSWER, 0),
        (FaultKind.STATUS_AFTER, 502),
        (FaultKind.MALFORMED, 0),
        (FaultKind.ANSWER_TWICE, 0),
    ],
)
def test_an_order_that_acted_without_a_response(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor, kind: FaultKind, value: float
) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(kind, value=value)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(FaultKind.DROP_REQUEST, 0), (FaultKind.REFUSE, 0), (FaultKind.STATUS, 502), (FaultKind.STATUS, 429)],
)
def test_a_lost_order_is_invalidated(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor, kind: FaultKind, value: float
) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(kind, value=value)
    result = executor.execute(order)
    assert result.status is OrderStatus.DEAD
    agrees(simulated, order, result)


def test_an_order_that_arrives_after_it_was_invalidated(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet(), simulated.timeouts(order=0.2)) as executor:
        order = simulated.signed_order(executor, simulated.buy())
        simulated.inject(FaultKind.DELAY, value=20_000)
        result = executor.execute(order)
        assert result.status is OrderStatus.DEAD
        simulated.advance(21)
        assert "duplicate nonce" in [entry.data.get("error", "") for entry in simulated.tape.entries()][-1]
        agrees(simulated, order, result)


def test_an_order_that_arrives_while_the_venue_is_down(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet(), simulated.timeouts(**SHORT)) as executor:
        order = simulated.signed_order(executor, simulated.buy())
        simulated.inject(FaultKind.DELAY, value=20_000)
        simulated.inject(FaultKind.STATUS, "hyperliquid/*", times=None, value=503)
        assert executor.execute(order).status is OrderStatus.UNKNOWN
        assert isinstance(executor.recover(order), StillUnknown)
        simulated.faults.clear()
        simulated.advance(21)
        result = resolved(simulated, executor, order)
        assert result.status is OrderStatus.FILLED
        agrees(simulated, order, result)


def test_an_order_that_was_never_sent(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    result = executor.recover(order)
    assert isinstance(result, ExecutionResult)
    assert result.status is OrderStatus.DEAD
    agrees(simulated, order, result)


def test_a_nonce_used_by_an_invalidation_without_a_response(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    """A used nonce alone proves nothing: the order may have used it a moment ago."""
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(FaultKind.DROP_ANSWER, NOOP)
    for _ in range(2):
        assert isinstance(executor.recover(order), StillUnknown)
    begun = simulated.now()
    result = resolved(simulated, executor, order)
    assert result.status is OrderStatus.DEAD
    assert simulated.now() - begun <= timedelta(seconds=45)
    agrees(simulated, order, result)


def test_a_partial_fill(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(FaultKind.PARTIAL_FILL, value=0.4)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    assert Quantity(0) < result.filled < order.plan.quantity
    agrees(simulated, order, result)
    assert resolved(simulated, executor, order).fills == result.fills


def test_many_levels_of_the_book_are_many_fills(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet("9000000")) as executor:
        order = simulated.signed_order(executor, simulated.buy(dollars="3000000", max_slippage_bps=900))
        result = executor.execute(order)
        assert len(result.fills) > 1
        agrees(simulated, order, result)


def test_an_order_without_a_counterparty(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    order = simulated.signed_order(executor, simulated.buy(max_slippage_bps=0, decision_price=simulated.price()))
    result = executor.execute(order)
    assert result.status is OrderStatus.UNFILLED
    assert resolved(simulated, executor, order).status is OrderStatus.UNFILLED
    agrees(simulated, order, result)


def test_an_order_that_the_venue_refuses(simulated: SimulatedHyperliquid) -> None:
    with simulated.executor(simulated.wallet("1000")) as executor:
        first, second = (simulated.signed_order(executor, simulated.buy(dollars="900")) for _ in range(2))
        assert executor.execute(first).status is OrderStatus.FILLED
        result = executor.execute(second)
        assert result.status is OrderStatus.REJECTED
        assert "Insufficient margin" in (result.error or "")
        assert resolved(simulated, executor, second).status is OrderStatus.REJECTED
        agrees(simulated, second, result)


def test_a_refused_request_may_be_accepted_later(simulated: SimulatedHyperliquid) -> None:
    """While the account is unknown its nonce is not used: the same bytes act once it is known."""
    key = simulated.wallet()
    with simulated.executor(key) as funded:
        plan = funded.prepare(simulated.buy(), position_row(), 1)
    newcomer = simulated.wallet(None)
    with simulated.executor(newcomer) as executor:
        order = executor.sign(plan, 1_000 + simulated.clock.now())
        reported = executor.execute(order)
        assert reported.status is OrderStatus.UNKNOWN
        assert "does not exist" in (reported.error or "")
        simulated.deposit(newcomer.address, "5000")
        simulated.resend(order)
        result = resolved(simulated, executor, order)
        assert result.status is OrderStatus.FILLED
        agrees(simulated, order, result)


def test_an_expired_order(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.advance(31)
    result = executor.execute(order)
    assert result.status is OrderStatus.DEAD
    agrees(simulated, order, result)


def test_an_order_that_the_venue_has_forgotten(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    """Its fills are listed longer than the order itself."""
    order = simulated.signed_order(executor, simulated.buy())
    reported = executor.execute(order)
    simulated.answers["orderStatus"] = lambda _: {"status": "unknownOid"}
    simulated.advance(60)
    found = executor.recover(order)
    assert isinstance(found, ExecutionResult)
    assert (found.status, found.fills) == (OrderStatus.FILLED, reported.fills)


def test_fills_are_listed_late(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    truth = simulated.answers["userFillsByTime"]
    order = simulated.signed_order(executor, simulated.buy())
    until = simulated.clock.now() + 1_000
    simulated.answers["userFillsByTime"] = lambda query: truth(query) if simulated.clock.now() >= until else []
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)


def test_fills_are_never_listed(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    truth = simulated.answers["userFillsByTime"]
    order = simulated.signed_order(executor, simulated.buy())
    simulated.answers["userFillsByTime"] = lambda _: []
    assert executor.execute(order).status is OrderStatus.UNKNOWN
    simulated.answers["userFillsByTime"] = truth
    agrees(simulated, order, resolved(simulated, executor, order))


def test_a_wrong_venue_clock_invalidates_nothing(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(FaultKind.CLOCK_SKEW, "hyperliquid/info/exchangeStatus", value=3_600_000)
    simulated.inject(FaultKind.STATUS, NOOP, value=502)
    assert isinstance(executor.recover(order), StillUnknown)
    simulated.resend(order)
    result = resolved(simulated, executor, order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)


def test_a_venue_whose_clock_is_behind_accepts_an_order(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    order = simulated.signed_order(executor, simulated.buy())
    simulated.advance(35)
    simulated.inject(FaultKind.STATUS, NOOP, value=502)
    assert isinstance(executor.recover(order), StillUnknown)
    simulated.inject(FaultKind.CLOCK_SKEW, value=-8_000)
    simulated.resend(order)
    result = resolved(simulated, executor, order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)


def test_an_order_that_arrives_during_recovery(simulated: SimulatedHyperliquid, executor: HyperliquidExecutor) -> None:
    """It arrives after it was looked up, and before its nonce is used up."""
    truth = simulated.answers["orderStatus"]
    answers = iter([lambda _: {"status": "unknownOid"}])
    simulated.answers["orderStatus"] = lambda query: next(answers, truth)(query)
    order = simulated.signed_order(executor, simulated.buy())
    simulated.inject(FaultKind.DROP_ANSWER)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)


def test_another_key_trades_for_the_account(simulated: SimulatedHyperliquid) -> None:
    owner, agent = simulated.wallet(), simulated.wallet(None)
    agents, now = simulated.venue._auth.agents, simulated.venue.exchange.now
    assert agents.approve(owner.address.lower(), agent.address.lower(), "", now) is None
    with simulated.executor(agent, address=owner.address) as executor:
        assert executor.address == owner.address
        order = simulated.signed_order(executor, simulated.buy())
        result = executor.execute(order)
        assert result.status is OrderStatus.FILLED
        assert simulated.held(owner) == result.filled
        agrees(simulated, order, result)


def test_concurrent_recoveries(simulated: SimulatedHyperliquid) -> None:
    """Concurrent processes send, invalidate and look up the same order."""
    key = simulated.wallet()
    with (
        simulated.executor(key) as one,
        simulated.executor(key) as two,
        simulated.executor(key) as three,
        ThreadPoolExecutor(3) as pool,
    ):
        for _ in range(10):
            simulated.advance(1)
            order = simulated.signed_order(one, simulated.buy(dollars="100"))
            works = [pool.submit(work, order) for work in (one.execute, two.recover, three.execute)]
            found = [work.result() for work in works]
            final = resolved(simulated, one, order)
            agrees(simulated, order, final)
            reported = [each for each in found if isinstance(each, ExecutionResult) and each.status.resolved]
            assert all((each.status, each.fills) == (final.status, final.fills) for each in reported)


routes = st.sampled_from(
    [ORDER, ORDER, ORDER, NOOP, "hyperliquid/info/orderStatus", "hyperliquid/info/userFillsByTime", "hyperliquid/*"]
)
harms = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                FaultKind.REFUSE,
                FaultKind.DROP_REQUEST,
                FaultKind.DROP_ANSWER,
                FaultKind.ANSWER_TWICE,
                FaultKind.MALFORMED,
                FaultKind.REORDER,
            ]
        ),
        st.just(0.0),
    ),
    st.tuples(st.sampled_from([FaultKind.STATUS, FaultKind.STATUS_AFTER]), st.sampled_from([404.0, 429.0, 502.0])),
    st.tuples(st.sampled_from([FaultKind.DELAY, FaultKind.DOWN]), st.sampled_from([900.0, 15_000.0, 45_000.0])),
    st.tuples(st.just(FaultKind.PARTIAL_FILL), st.sampled_from([0.00001, 0.3, 0.9])),
    st.tuples(st.just(FaultKind.CLOCK_SKEW), st.sampled_from([-8_000.0, 8_000.0, 60_000.0])),
)
rules = st.builds(
    lambda route, harm, after, times, chance: Rule(
        route=route, kind=harm[0], value=harm[1], after=after, times=times, chance=chance
    ),
    routes,
    harms,
    st.integers(0, 1),
    st.integers(1, 3),
    st.sampled_from([0.5, 1.0]),
)
steps = st.sampled_from(["execute", "execute", "recover", "resend", "wait"])


@pytest.mark.slow
@given(st.lists(rules, max_size=4), st.lists(steps, min_size=1, max_size=4), st.booleans())
@settings(max_examples=60)
def test_no_order_acts_twice_or_is_lost(
    shared: SimulatedHyperliquid, script: list[Rule], course: list[str], leave: bool
) -> None:
    """In any order of steps it acts at most once, and a reported result never changes."""
    simulated, key = shared, shared.wallet()
    simulated.faults.clear()
    simulated.advance(1)
    with simulated.executor(key, simulated.timeouts(**SHORT)) as executor, simulated.executor(key) as other:
        held = other.execute(simulated.signed_order(other, simulated.buy())).filled if leave else Quantity(0)
        order = simulated.signed_order(other, simulated.sell(held) if leave else simulated.buy(), position_row(held))
        for rule in script:
            simulated.faults.add(rule)
        reported = [found for step in course if (found := act(simulated, executor, order, step)) is not None]
        simulated.faults.clear()
        final = resolved(simulated, other, order)
    simulated.advance(60)
    agrees(simulated, order, final)
    for earlier in reported:
        assert (earlier.status, earlier.fills) == (final.status, final.fills)


def act(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor, order: SignedOrder, step: str
) -> ExecutionResult | None:
    """Execute this step; return the result if it is final."""
    if step == "wait":
        simulated.advance(12)
    elif step == "resend":
        try:
            simulated.resend(order)
        except OSError:
            return None
    else:
        found = (executor.execute if step == "execute" else executor.recover)(order)
        if isinstance(found, ExecutionResult) and found.status.resolved:
            return found
    return None


def test_an_order_that_is_still_open_is_not_unfilled(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    truth = simulated.answers["orderStatus"]
    order = simulated.signed_order(executor, simulated.buy())
    reported = executor.execute(order)
    for status in ("open", "triggered"):

        def still_open(query: dict[str, Any], status: str = status) -> Any:
            answer = truth(query)
            placed = {**answer["order"]["order"], "sz": answer["order"]["order"]["origSz"]}
            return {**answer, "order": {**answer["order"], "order": placed, "status": status}}

        simulated.answers["orderStatus"] = still_open
        found = executor.recover(order)
        assert isinstance(found, StillUnknown)
        assert "open" in found.reason
    simulated.answers["orderStatus"] = truth
    assert resolved(simulated, executor, order).fills == reported.fills


def test_an_incomplete_list_of_fills_is_not_accepted(simulated: SimulatedHyperliquid) -> None:
    truth = simulated.answers["userFillsByTime"]
    with simulated.executor(simulated.wallet("9000000")) as executor:
        order = simulated.signed_order(executor, simulated.buy(dollars="3000000", max_slippage_bps=900))
        simulated.answers["userFillsByTime"] = lambda query: truth(query)[:-1]
        assert executor.execute(order).status is OrderStatus.UNKNOWN
        assert isinstance(executor.recover(order), StillUnknown)
        until = simulated.clock.now() + 1_000
        simulated.answers["userFillsByTime"] = lambda query: truth(query)[
            : None if simulated.clock.now() >= until else -1
        ]
        result = resolved(simulated, executor, order)
    assert len(result.fills) > 1
    agrees(simulated, order, result)


def test_fills_of_two_orders_in_one_trade_have_different_ids(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    """The venue gives both sides of a trade the same number and time, and both may be ours."""
    truth = simulated.answers["userFillsByTime"]
    orders = [simulated.signed_order(executor, simulated.buy(dollars="100")) for _ in range(2)]
    for order in orders:
        executor.execute(order)
    simulated.answers["userFillsByTime"] = lambda query: [{**fill, "tid": 7, "time": START} for fill in truth(query)]
    ids = [fill.venue_fill_id for order in orders for fill in resolved(simulated, executor, order).fills]
    assert len(ids) == len(set(ids)) == 2


def test_fills_without_our_client_order_id_are_found_by_the_venues_own(
    simulated: SimulatedHyperliquid, executor: HyperliquidExecutor
) -> None:
    truth = simulated.answers["userFillsByTime"]
    order = simulated.signed_order(executor, simulated.buy())
    simulated.answers["userFillsByTime"] = lambda query: [
        {name: value for name, value in fill.items() if name != "cloid"} for fill in truth(query)
    ]
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(simulated, order, result)
