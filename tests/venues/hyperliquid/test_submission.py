"""Whatever happens on the way: what is told about an order is what the venue did, and it did it once."""

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
from tests.strandline_sim.hyperliquid.things import START
from tests.venues.hyperliquid.box import ORDER, Box, row

NOOP = "hyperliquid/exchange/noop"
SHORT = {"request": 0.1, "order": 0.1, "attempts": 2, "fill_polls": 2}


def resolved(box: Box, executor: HyperliquidExecutor, order: SignedOrder) -> ExecutionResult:
    """Recovered, at the latest when it has been too late for the order for a while."""
    reasons = []
    for _ in range(12):
        found = executor.recover(order)
        if isinstance(found, ExecutionResult):
            return found
        reasons.append(found.reason)
        box.later(5)
    raise AssertionError(f"still not known: {reasons}")


def agrees(box: Box, order: SignedOrder, result: ExecutionResult) -> None:
    """With the tape, and with itself; also when the bytes arrive once more."""
    box.resend(order)
    assert len(box.told(order, "order_accepted")) <= 1
    told = {(str(f.price), str(f.quantity), str(f.fee)) for f in result.fills}
    happened = {
        tuple(str(Quantity(entry.data[name])) for name in ("px", "sz", "fee")) for entry in box.told(order, "fill")
    }
    assert told == happened
    assert len({fill.venue_fill_id for fill in result.fills}) == len(result.fills) == len(box.told(order, "fill"))
    assert (result.status is OrderStatus.FILLED) == bool(happened)
    assert all((f.order_id, f.side, f.token_contract) == _named(order) for f in result.fills)
    assert result.fees == sum((fill.fee for fill in result.fills), Money(0))


def _named(order: SignedOrder) -> tuple[Any, ...]:
    return order.order_id, order.plan.side, order.plan.token_contract


@pytest.fixture
def executor(box: Box) -> Iterator[HyperliquidExecutor]:
    with box.executor(box.key()) as opened:
        yield opened


def test_there_and_back(box: Box) -> None:
    key = box.key()
    with box.executor(key) as executor:
        buy = box.ordered(executor, box.buy())
        opened = executor.execute(buy)
        assert (opened.status, opened.filled) == (OrderStatus.FILLED, buy.plan.quantity)
        assert opened.slippage_bps is not None
        assert 0 < opened.slippage_bps <= 50
        sell = box.ordered(executor, box.sell(opened.filled), row(opened.filled))
        closed = executor.execute(sell)
        assert closed.filled == opened.filled
        assert not box.held(key)
        for order, result in ((buy, opened), (sell, closed)):
            agrees(box, order, result)
            again = executor.recover(order)
            assert isinstance(again, ExecutionResult)
            assert again.fills == result.fills


def test_signing_is_pure(box: Box, executor: HyperliquidExecutor) -> None:
    plan = executor.prepare(box.buy(), row(), 1)
    order = executor.sign(plan, 7)
    box.later(1)
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
def test_it_acted_and_the_answer_was_lost(
    box: Box, executor: HyperliquidExecutor, kind: FaultKind, value: float
) -> None:
    order = box.ordered(executor, box.buy())
    box.fault(kind, value=value)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(FaultKind.DROP_REQUEST, 0), (FaultKind.REFUSE, 0), (FaultKind.STATUS, 502), (FaultKind.STATUS, 429)],
)
def test_it_never_arrived_and_is_killed(box: Box, executor: HyperliquidExecutor, kind: FaultKind, value: float) -> None:
    order = box.ordered(executor, box.buy())
    box.fault(kind, value=value)
    result = executor.execute(order)
    assert result.status is OrderStatus.DEAD
    agrees(box, order, result)


def test_it_arrives_after_it_was_killed(box: Box) -> None:
    with box.executor(box.key(), box.timeouts(order=0.2)) as executor:
        order = box.ordered(executor, box.buy())
        box.fault(FaultKind.DELAY, value=20_000)
        result = executor.execute(order)
        assert result.status is OrderStatus.DEAD
        box.later(21)
        assert "duplicate nonce" in [entry.data.get("error", "") for entry in box.tape.entries()][-1]
        agrees(box, order, result)


def test_it_arrives_while_nobody_can_be_asked(box: Box) -> None:
    with box.executor(box.key(), box.timeouts(**SHORT)) as executor:
        order = box.ordered(executor, box.buy())
        box.fault(FaultKind.DELAY, value=20_000)
        box.fault(FaultKind.STATUS, "hyperliquid/*", times=None, value=503)
        assert executor.execute(order).status is OrderStatus.UNKNOWN
        assert isinstance(executor.recover(order), StillUnknown)
        box.faults.clear()
        box.later(21)
        result = resolved(box, executor, order)
        assert result.status is OrderStatus.FILLED
        agrees(box, order, result)


def test_it_was_never_sent(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy())
    result = executor.recover(order)
    assert isinstance(result, ExecutionResult)
    assert result.status is OrderStatus.DEAD
    agrees(box, order, result)


def test_its_nonce_is_used_by_a_kill_that_was_not_heard_of(box: Box, executor: HyperliquidExecutor) -> None:
    """A used nonce alone proves nothing: the order may have used it a moment ago."""
    order = box.ordered(executor, box.buy())
    box.fault(FaultKind.DROP_ANSWER, NOOP)
    for _ in range(2):
        assert isinstance(executor.recover(order), StillUnknown)
    begun = box.now()
    result = resolved(box, executor, order)
    assert result.status is OrderStatus.DEAD
    assert box.now() - begun <= timedelta(seconds=45)
    agrees(box, order, result)


def test_a_part_of_it(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy())
    box.fault(FaultKind.PARTIAL_FILL, value=0.4)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    assert Quantity(0) < result.filled < order.plan.quantity
    agrees(box, order, result)
    assert resolved(box, executor, order).fills == result.fills


def test_many_levels_of_the_book_are_many_fills(box: Box) -> None:
    with box.executor(box.key("9000000")) as executor:
        order = box.ordered(executor, box.buy(dollars="3000000", max_slippage_bps=900))
        result = executor.execute(order)
        assert len(result.fills) > 1
        agrees(box, order, result)


def test_nobody_sells_at_this_price(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy(max_slippage_bps=0, decision_price=box.price()))
    result = executor.execute(order)
    assert result.status is OrderStatus.UNFILLED
    assert resolved(box, executor, order).status is OrderStatus.UNFILLED
    agrees(box, order, result)


def test_an_order_that_the_venue_refuses(box: Box) -> None:
    with box.executor(box.key("1000")) as executor:
        first, second = (box.ordered(executor, box.buy(dollars="900")) for _ in range(2))
        assert executor.execute(first).status is OrderStatus.FILLED
        result = executor.execute(second)
        assert result.status is OrderStatus.REJECTED
        assert "Insufficient margin" in (result.error or "")
        assert resolved(box, executor, second).status is OrderStatus.REJECTED
        agrees(box, second, result)


def test_a_refused_request_may_still_be_taken_another_time(box: Box) -> None:
    """Nobody knows the account yet, so that the nonce is not used: the same bytes act once it is known."""
    key = box.key()
    with box.executor(key) as funded:
        plan = funded.prepare(box.buy(), row(), 1)
    newcomer = box.key(None)
    with box.executor(newcomer) as executor:
        order = executor.sign(plan, 1_000 + box.clock.now())
        told = executor.execute(order)
        assert told.status is OrderStatus.UNKNOWN
        assert "does not exist" in (told.error or "")
        box.deposit(newcomer.address, "5000")
        box.resend(order)
        result = resolved(box, executor, order)
        assert result.status is OrderStatus.FILLED
        agrees(box, order, result)


def test_too_late(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy())
    box.later(31)
    result = executor.execute(order)
    assert result.status is OrderStatus.DEAD
    agrees(box, order, result)


def test_an_order_that_the_venue_has_forgotten(box: Box, executor: HyperliquidExecutor) -> None:
    """Its fills are listed longer than it is known itself."""
    order = box.ordered(executor, box.buy())
    told = executor.execute(order)
    box.answers["orderStatus"] = lambda _: {"status": "unknownOid"}
    box.later(60)
    found = executor.recover(order)
    assert isinstance(found, ExecutionResult)
    assert (found.status, found.fills) == (OrderStatus.FILLED, told.fills)


def test_fills_that_are_listed_late(box: Box, executor: HyperliquidExecutor) -> None:
    truth = box.answers["userFillsByTime"]
    order = box.ordered(executor, box.buy())
    until = box.clock.now() + 1_000
    box.answers["userFillsByTime"] = lambda query: truth(query) if box.clock.now() >= until else []
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)


def test_fills_that_are_not_listed(box: Box, executor: HyperliquidExecutor) -> None:
    truth = box.answers["userFillsByTime"]
    order = box.ordered(executor, box.buy())
    box.answers["userFillsByTime"] = lambda _: []
    assert executor.execute(order).status is OrderStatus.UNKNOWN
    box.answers["userFillsByTime"] = truth
    agrees(box, order, resolved(box, executor, order))


def test_a_clock_of_the_venue_that_is_wrong_kills_nothing(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy())
    box.fault(FaultKind.CLOCK_SKEW, "hyperliquid/info/exchangeStatus", value=3_600_000)
    box.fault(FaultKind.STATUS, NOOP, value=502)
    assert isinstance(executor.recover(order), StillUnknown)
    box.resend(order)
    result = resolved(box, executor, order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)


def test_a_venue_whose_clock_is_behind_still_takes_it(box: Box, executor: HyperliquidExecutor) -> None:
    order = box.ordered(executor, box.buy())
    box.later(35)
    box.fault(FaultKind.STATUS, NOOP, value=502)
    assert isinstance(executor.recover(order), StillUnknown)
    box.fault(FaultKind.CLOCK_SKEW, value=-8_000)
    box.resend(order)
    result = resolved(box, executor, order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)


def test_it_is_known_a_moment_later(box: Box, executor: HyperliquidExecutor) -> None:
    """It used its nonce after it was looked for, and before that could be taken away."""
    truth = box.answers["orderStatus"]
    answers = iter([lambda _: {"status": "unknownOid"}])
    box.answers["orderStatus"] = lambda query: next(answers, truth)(query)
    order = box.ordered(executor, box.buy())
    box.fault(FaultKind.DROP_ANSWER)
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)


def test_another_key_trades_for_the_account(box: Box) -> None:
    owner, agent = box.key(), box.key(None)
    assert box.venue._auth.agents.approve(owner.address.lower(), agent.address.lower(), "", 0) is None
    with box.executor(agent, address=owner.address) as executor:
        assert executor.address == owner.address
        order = box.ordered(executor, box.buy())
        result = executor.execute(order)
        assert result.status is OrderStatus.FILLED
        assert box.held(owner) == result.filled
        agrees(box, order, result)


def test_several_at_once(box: Box) -> None:
    """Processes that do not know of each other send, kill and look, all for the same order."""
    key = box.key()
    with box.executor(key) as one, box.executor(key) as two, box.executor(key) as three, ThreadPoolExecutor(3) as pool:
        for _ in range(10):
            box.later(1)
            order = box.ordered(one, box.buy(dollars="100"))
            works = [pool.submit(work, order) for work in (one.execute, two.recover, three.execute)]
            found = [work.result() for work in works]
            final = resolved(box, one, order)
            agrees(box, order, final)
            told = [each for each in found if isinstance(each, ExecutionResult) and each.status.resolved]
            assert all((each.status, each.fills) == (final.status, final.fills) for each in told)


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
def test_nothing_twice_and_nothing_lost(shared: Box, script: list[Rule], course: list[str], leave: bool) -> None:
    """However it is sent, killed, delayed and asked about: it acts once at most, and what is told once stays true."""
    box, key = shared, shared.key()
    box.faults.clear()
    box.later(1)
    with box.executor(key, box.timeouts(**SHORT)) as executor, box.executor(key) as other:
        held = other.execute(box.ordered(other, box.buy())).filled if leave else Quantity(0)
        order = box.ordered(other, box.sell(held) if leave else box.buy(), row(held))
        for rule in script:
            box.faults.add(rule)
        told = [found for step in course if (found := act(box, executor, order, step)) is not None]
        box.faults.clear()
        final = resolved(box, other, order)
    box.later(60)
    agrees(box, order, final)
    for earlier in told:
        assert (earlier.status, earlier.fills) == (final.status, final.fills)


def act(box: Box, executor: HyperliquidExecutor, order: SignedOrder, step: str) -> ExecutionResult | None:
    """What is known for good after this step."""
    if step == "wait":
        box.later(12)
    elif step == "resend":
        try:
            box.resend(order)
        except OSError:
            return None
    else:
        found = (executor.execute if step == "execute" else executor.recover)(order)
        if isinstance(found, ExecutionResult) and found.status.resolved:
            return found
    return None


def test_an_order_that_is_still_open_is_not_unfilled(box: Box, executor: HyperliquidExecutor) -> None:
    truth = box.answers["orderStatus"]
    order = box.ordered(executor, box.buy())
    told = executor.execute(order)
    for status in ("open", "triggered"):

        def still_open(query: dict[str, Any], status: str = status) -> Any:
            answer = truth(query)
            placed = {**answer["order"]["order"], "sz": answer["order"]["order"]["origSz"]}
            return {**answer, "order": {**answer["order"], "order": placed, "status": status}}

        box.answers["orderStatus"] = still_open
        found = executor.recover(order)
        assert isinstance(found, StillUnknown)
        assert "open" in found.reason
    box.answers["orderStatus"] = truth
    assert resolved(box, executor, order).fills == told.fills


def test_a_list_that_lacks_some_of_the_fills_is_not_taken_for_all(box: Box) -> None:
    truth = box.answers["userFillsByTime"]
    with box.executor(box.key("9000000")) as executor:
        order = box.ordered(executor, box.buy(dollars="3000000", max_slippage_bps=900))
        box.answers["userFillsByTime"] = lambda query: truth(query)[:-1]
        assert executor.execute(order).status is OrderStatus.UNKNOWN
        assert isinstance(executor.recover(order), StillUnknown)
        until = box.clock.now() + 1_000
        box.answers["userFillsByTime"] = lambda query: truth(query)[: None if box.clock.now() >= until else -1]
        result = resolved(box, executor, order)
    assert len(result.fills) > 1
    agrees(box, order, result)


def test_fills_of_two_orders_in_one_trade_have_different_ids(box: Box, executor: HyperliquidExecutor) -> None:
    """The venue gives both sides of a trade the same number and time, and both may be ours."""
    truth = box.answers["userFillsByTime"]
    orders = [box.ordered(executor, box.buy(dollars="100")) for _ in range(2)]
    for order in orders:
        executor.execute(order)
    box.answers["userFillsByTime"] = lambda query: [{**fill, "tid": 7, "time": START} for fill in truth(query)]
    ids = [fill.venue_fill_id for order in orders for fill in resolved(box, executor, order).fills]
    assert len(ids) == len(set(ids)) == 2


def test_fills_without_our_client_order_id_are_found_by_the_venues_own(box: Box, executor: HyperliquidExecutor) -> None:
    truth = box.answers["userFillsByTime"]
    order = box.ordered(executor, box.buy())
    box.answers["userFillsByTime"] = lambda query: [
        {name: value for name, value in fill.items() if name != "cloid"} for fill in truth(query)
    ]
    result = executor.execute(order)
    assert result.status is OrderStatus.FILLED
    agrees(box, order, result)
