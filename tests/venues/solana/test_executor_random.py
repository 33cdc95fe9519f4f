"""Random faults: no order is traded twice or lost, and the reported result is what happened."""

import random
from collections import Counter
from decimal import Decimal
from typing import Final

import pytest
from solders.keypair import Keypair

from strandline.model.exact import Quantity
from strandline.model.order import SignedOrder
from strandline.model.plan import SkipExecution
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.venues.solana.executor import SolanaExecutor
from strandline.venues.solana.jupiter import JupiterError
from strandline.venues.solana.node import NodeError
from strandline_sim.faults import FaultKind, Rule
from tests.strandline_sim.solana.simulation import BONK
from tests.venues.solana.simulated_solana import SimulatedSolana, agrees, lamports, position_row

RUNS: Final = 30
CALLS: Final = (
    *("rpc/sendTransaction", "rpc/getSignatureStatuses", "rpc/getTransaction", "rpc/getLatestBlockhash"),
    *("rpc/isBlockhashValid", "rpc/getMultipleAccounts", "rpc/simulateTransaction"),
    *("jupiter/quote", "jupiter/swap", "jupiter/price", "*"),
)
ANYWHERE: Final = (
    (FaultKind.DROP_REQUEST, (0,)),
    (FaultKind.DROP_ANSWER, (0,)),
    (FaultKind.ANSWER_TWICE, (0,)),
    (FaultKind.MALFORMED, (0,)),
    (FaultKind.STATUS, (429, 502)),
    (FaultKind.STATUS_AFTER, (502,)),
)
AT_THE_NODE: Final = ((FaultKind.NODE_BEHIND, (1, 40, 400)), (FaultKind.LAG, (0,)))
WHILE_LANDING: Final = (
    (FaultKind.DROP_REQUEST, (0,)),
    (FaultKind.DELAY, (3_000, 20_000, 50_000, -1)),
    (FaultKind.FORK, (0,)),  # what is confirmed stays: that is the chain's own promise
)


def some_faults(chance: random.Random) -> list[Rule]:
    """Draw a few faults, all of them limited."""
    rules = []
    for _ in range(chance.randrange(5)):
        landing = chance.random() < 0.3
        call = "landing" if landing else chance.choice(CALLS)
        kinds = WHILE_LANDING if landing else ANYWHERE + (AT_THE_NODE if call.startswith("rpc") else ())
        kind, values = chance.choice(kinds)
        times = chance.choice((1, 2, 5, 30)) if kind is not FaultKind.LAG else 1
        after, value = chance.randrange(3), chance.choice(values)
        rules.append(Rule(route=f"solana/{call}", kind=kind, after=after, times=times, value=value))
    return rules


def resolved(simulated: SimulatedSolana, key: Keypair, order: SignedOrder, chance: random.Random) -> ExecutionResult:
    """Execute or skip that, as after a kill; then recover until the result is final, with new executors."""
    fate: object = None
    if chance.random() < 0.8:
        with simulated.executor(key) as executor:
            fate = executor.execute(order)
    for _ in range(100):
        if isinstance(fate, ExecutionResult) and fate.status.resolved:
            return fate
        simulated.advance(chance.uniform(0, 20))
        with simulated.executor(key) as executor:
            fate = executor.recover(order)
    raise AssertionError(f"never resolved: {fate}")


def planned(simulated: SimulatedSolana, executor: SolanaExecutor, chance: random.Random) -> SignedOrder | None:
    """Prepare a buy or a sell, if the faults allow it."""
    held = Quantity(1_000_000)
    buying = chance.random() < 0.5
    intent = simulated.buy() if buying else simulated.sell(BONK, held)
    try:
        return executor.sign(executor.prepare(intent, position_row(BONK, None if buying else held), 1), None)
    except (SkipExecution, JupiterError, NodeError):
        return None


@pytest.mark.slow
def test_no_order_is_traded_twice_or_lost(simulated: SimulatedSolana) -> None:
    seen: Counter[str] = Counter()
    for seed in range(RUNS):
        chance = random.Random(seed)
        key = simulated.wallet(USDC=1_000_000_000, BONK=10**12)
        begun = len(simulated.tape)
        for rule in some_faults(chance):
            simulated.faults.add(rule)
        with simulated.executor(key) as executor:
            order = planned(simulated, executor, chance)
        if order is None:
            seen["not planned"] += 1
            assert len(simulated.tape) == begun
        else:
            if chance.random() < 0.2:
                simulated.market.prices["BONK"] *= Decimal(chance.choice(("0.9", "1.1")))
            result = resolved(simulated, key, order, chance)
            seen[result.status] += 1
            holds(simulated, str(key.pubkey()), order, result, begun)
        simulated.faults.clear()
    assert seen.keys() == {"not planned", OrderStatus.FILLED, OrderStatus.UNFILLED, OrderStatus.DEAD}, seen


def holds(simulated: SimulatedSolana, wallet: str, order: SignedOrder, result: ExecutionResult, begun: int) -> None:
    """Assert that the result is what happened, also much later and when the bytes are sent again."""
    simulated.faults.clear()
    with simulated.executor(Keypair.from_seed(b"e" * 32), waits=0) as anybody:
        anybody.execute(order)
    simulated.advance(120)
    landings = simulated.on_chain(order.signature)
    expected = {OrderStatus.FILLED: ["landed"], OrderStatus.UNFILLED: ["failed"], OrderStatus.DEAD: []}
    assert [entry.kind for entry in landings] == expected[result.status], (result, order.signature)
    if landings:
        agrees(result, landings[0], wallet, BONK)
    else:
        assert not result.fills
        assert not result.cash_events
    others = [
        entry
        for entry in simulated.tape.entries(after=begun)
        if entry.kind in {"landed", "failed"} and entry.data["signature"] != order.signature and lamports(entry, wallet)
    ]
    assert not others
