"""Swaps without faults: the reported result is what happened."""

import json
import subprocess
import sys

import pytest
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.errors import StrandlineError
from strandline.model.exact import Money, Quantity
from strandline.model.fill import CashCause
from strandline.model.intent import Decision, Urgency
from strandline.model.plan import ExecutionPlan, OrderKind
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.venues.solana import SOLANA
from strandline.venues.solana.executor import SolanaExecutor
from strandline.venues.solana.plan_details import PlanDetails
from tests.strandline_sim.solana.simulation import BONK, FEE_TOKEN, PYUSD, SOL, USDC
from tests.venues.solana.simulated_solana import SimulatedSolana, agrees, moved, position_row, signed_order

ENOUGH = 1_000_000_000


def bought(executor: SolanaExecutor, simulated: SimulatedSolana, mint: str) -> ExecutionResult:
    """Buy for 100 dollars; some tokens have a transfer fee."""
    result = executor.execute(
        signed_order(executor, simulated.buy(mint, "100.123456", max_slippage_bps=500), position_row(mint))
    )
    assert result.status is OrderStatus.FILLED
    return result


@pytest.mark.parametrize("mint", [BONK, SOL, PYUSD, str(FEE_TOKEN.mint)])
def test_a_token_is_bought_and_sold(simulated: SimulatedSolana, mint: str) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    wallet = str(key.pubkey())
    with simulated.executor(key) as executor:
        buy = bought(executor, simulated, mint)
        [entry] = simulated.on_chain(buy.venue_order_id)
        agrees(buy, entry, wallet, mint)
        assert moved(entry, wallet, USDC) == -100_123_456
        assert [event.cause for event in buy.cash_events] == [CashCause.GAS, CashCause.RENT]

        held = buy.filled
        sale = executor.execute(
            signed_order(executor, simulated.sell(mint, held, max_slippage_bps=300), position_row(mint, held))
        )
        [entry] = simulated.on_chain(sale.venue_order_id)
        agrees(sale, entry, wallet, mint)
        assert sale.filled == held
        assert [event.cause for event in sale.cash_events] == [CashCause.GAS]  # the accounts are there already


def test_a_part_is_sold(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        held = bought(executor, simulated, BONK).filled
        part = Quantity("1000000.123456789")  # finer than the token
        plan = executor.prepare(simulated.sell(BONK, part, Decision.TRIM), position_row(BONK, held), 1)
        assert plan.quantity == Quantity("1000000.12345")
        whole = executor.prepare(simulated.sell(BONK, held + part, Decision.TRIM), position_row(BONK, held), 1)
        assert whole.quantity == held  # never more than the ledger gives the row


def test_an_exit_sells_what_the_row_holds_now(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        held = bought(executor, simulated, BONK).filled
        plan = executor.prepare(simulated.sell(BONK, Quantity(1)), position_row(BONK, held), 1)
        assert plan.quantity == held


def test_a_wallet_with_less_than_the_ledger_sells_what_it_has(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        held = bought(executor, simulated, BONK).filled
        missing = held + Quantity(1000)
        plan = executor.prepare(simulated.sell(BONK, missing), position_row(BONK, missing), 1)
        assert plan.quantity == held


def test_the_plan_has_the_worst_case(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH, BONK=10**12)) as executor:
        buy = executor.prepare(simulated.buy(BONK, "250"), position_row(), 1)
        assert (buy.kind, buy.reduce_only) == (OrderKind.SWAP, False)
        assert Money(250) - buy.notional < Money("1e-12")
        result = executor.execute(executor.sign(buy, None))
        assert result.filled > buy.quantity
        assert result.average_price is not None
        assert result.average_price < buy.limit_price

        held = Quantity(5_000_000)
        sale = executor.prepare(simulated.sell(BONK, held), position_row(BONK, held), 1)
        assert (sale.quantity, sale.reduce_only) == (held, True)
        result = executor.execute(executor.sign(sale, None))
        assert result.average_price is not None
        assert result.average_price > sale.limit_price
        assert result.slippage_bps is not None
        assert 0 < result.slippage_bps < 50


def test_an_order_expires_with_its_intent(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        long = executor.prepare(simulated.buy(), position_row(), 1)
        intent = simulated.buy()
        simulated.advance(280)  # twenty seconds are left
        short = executor.prepare(intent, position_row(), 1)
        assert short.deadline == intent.expires_at
        simulated.advance(30)
        executor.execute(executor.sign(short, None))
        assert (long.deadline - long.prepared_at).total_seconds() == 60
        assert not simulated.on_chain(executor.sign(short, None).signature)


def test_a_stored_plan_signs_to_the_same_bytes(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        plan = executor.prepare(simulated.buy(), position_row(), 1)
        again = from_json(canonical_bytes(plan), ExecutionPlan)
        assert PlanDetails.of(again.details) == PlanDetails.of(plan.details)
        order = executor.sign(plan, None)
        assert order == executor.sign(again, None)
        transaction = VersionedTransaction.from_bytes(order.signed_bytes)
        assert transaction.verify_with_results() == [True]
        assert str(transaction.signatures[0]) == order.signature == order.client_order_id
        with pytest.raises(ValueError, match="no nonce"):
            executor.sign(plan, 7)


def test_equal_intents_at_one_instant_are_two_transactions(simulated: SimulatedSolana) -> None:
    """Both are prepared in the same block, at the same price and blockhash, and both land."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        intents = [simulated.buy() for _ in range(4)]
        orders = [signed_order(executor, intent, position_row()) for intent in intents]
        orders.append(signed_order(executor, intents[0], position_row(), attempt=2))
        messages = [VersionedTransaction.from_bytes(order.signed_bytes).message for order in orders]
        assert len({str(message.recent_blockhash) for message in messages}) == 1
        assert len({order.signature for order in orders}) == len(orders)
        for order in orders:
            assert executor.execute(order).status is OrderStatus.FILLED


def test_urgent_orders_pay_a_higher_priority_fee(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        results = [
            executor.execute(signed_order(executor, simulated.buy(urgency=urgency), position_row()))
            for urgency in (Urgency.NORMAL, Urgency.HIGH)
        ]
        normal, high = (result.cash_events[0].amount for result in results)
        assert high < normal  # gas went out


def test_recovery_returns_the_same_result(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        reported = executor.execute(order)
    with simulated.executor(key) as another:
        again = another.recover(order)
    assert isinstance(again, ExecutionResult)
    assert (again.status, again.fills, again.cash_events) == (reported.status, reported.fills, reported.cash_events)


def test_both_key_formats_are_accepted(simulated: SimulatedSolana) -> None:
    key = simulated.wallet()
    address = str(key.pubkey())
    for secret in (str(key), json.dumps(list(bytes(key)))):
        executor = SolanaExecutor(simulated.config(key=secret, address=address))
        assert executor.address == address
        executor.close()


@pytest.mark.parametrize("secret", [None, "", "not a key", "[1,2,3]", "[]", str(Keypair.from_seed(bytes(32)))[:-3]])
def test_a_wrong_key_is_refused_and_not_repeated(simulated: SimulatedSolana, secret: str | None) -> None:
    with pytest.raises(StrandlineError) as refused:
        SolanaExecutor(simulated.config(key=secret))
    error = refused.value
    assert error.__cause__ is None
    assert not secret or secret not in str(error)


def test_a_key_of_another_wallet_is_refused(simulated: SimulatedSolana) -> None:
    with pytest.raises(StrandlineError, match="not of"):
        SolanaExecutor(simulated.config(key=str(simulated.wallet()), address=str(simulated.wallet().pubkey())))


def test_a_node_of_another_cluster_is_refused(simulated: SimulatedSolana) -> None:
    with (
        simulated.executor(simulated.wallet(USDC=ENOUGH), mainnet=True) as executor,
        pytest.raises(StrandlineError, match="node"),
    ):
        executor.prepare(simulated.buy(), position_row(), 1)


def test_a_node_url_is_required(simulated: SimulatedSolana) -> None:
    with pytest.raises(StrandlineError, match="STRANDLINE_SOLANA_RPC_URL"):
        SolanaExecutor(simulated.config(key=str(simulated.wallet()), rpc_url=None))


def test_parsing_a_dag_does_not_import_solders() -> None:
    code = (
        "import sys; import strandline.venues.solana; from strandline.venues.factory import ExecutorFactory; "
        "ExecutorFactory.venues(); assert not {'solders', 'solana', 'aiohttp'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_executor_and_observer_can_be_made_repeatedly(simulated: SimulatedSolana) -> None:
    """A submodule of the same name would replace a function when it is first imported."""
    access = simulated.config(key=str(simulated.wallet()))
    for _ in range(2):
        for made in (SOLANA.executor(access), SOLANA.observer(access)):
            made.close()
