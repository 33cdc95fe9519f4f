"""Every reason to skip an intent; a skip sends nothing."""

from decimal import Decimal
from typing import Any

import pytest
from solders.keypair import Keypair

from strandline.model.exact import Price, Quantity, Ratio
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.plan import SkipExecution
from strandline.model.position import Position
from strandline.venues.solana.jupiter import Jupiter, Swap
from tests.strandline_sim.solana.simulation import BONK, FEE_TOKEN, SOL, UNPRICED, USDC
from tests.venues.solana.simulated_solana import SimulatedSolana, position_row

ENOUGH = 1_000_000_000
HELD = Quantity(5_000_000)


def skipped(simulated: SimulatedSolana, key: Keypair, intent: ExecutionIntent, position: Position | None = None) -> str:
    """Prepare the intent, and return the reason why it is skipped."""
    before = len(simulated.tape)
    with simulated.executor(key) as executor, pytest.raises(SkipExecution) as skip:
        executor.prepare(intent, position or position_row(), 1)
    assert len(simulated.tape) == before
    return skip.value.reason


def test_an_expired_intent(simulated: SimulatedSolana) -> None:
    intent = simulated.buy()
    simulated.advance(300)
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), intent) == "expired"


def test_a_buy_below_the_minimum(simulated: SimulatedSolana) -> None:
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), simulated.buy(dollars="0.99")) == "min_notional"


@pytest.mark.parametrize("usdc", [0, 99_999_999])
def test_not_enough_usdc(simulated: SimulatedSolana, usdc: int) -> None:
    assert (
        skipped(simulated, simulated.wallet(**{"USDC": usdc} if usdc else {}), simulated.buy(dollars="100"))
        == "insufficient_balance"
    )


def test_only_exits_may_use_the_gas_reserve(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(sol=0.019, USDC=ENOUGH, BONK=10**12)
    assert skipped(simulated, key, simulated.buy()) == "gas_low"
    with simulated.executor(key) as executor:
        assert executor.prepare(simulated.sell(BONK, HELD), position_row(BONK, HELD), 1).quantity == HELD


def test_an_exit_without_any_gas(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(sol=0.000001, USDC=ENOUGH, BONK=10**12)
    assert skipped(simulated, key, simulated.sell(BONK, HELD), position_row(BONK, HELD)) == "gas_low"


@pytest.mark.parametrize("mint", [str(Keypair.from_seed(b"m" * 32).pubkey()), str(UNPRICED.mint), USDC])
def test_tokens_that_cannot_be_traded(simulated: SimulatedSolana, mint: str) -> None:
    intent = simulated.buy()
    changed = {name: getattr(intent, name) for name in intent.__struct_fields__} | {"token_contract": mint}
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), ExecutionIntent(**changed)) == "not_tradable"


def test_a_price_at_which_nothing_arrives(simulated: SimulatedSolana) -> None:
    simulated.market.prices["SOL"] = Decimal(10) ** 12
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), simulated.buy(SOL, "1")) == "no_route"


def test_price_drift(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(USDC=ENOUGH, BONK=10**12)
    intent, exit_ = simulated.buy(), simulated.sell(BONK, HELD)
    simulated.market.prices["BONK"] *= Decimal("1.01")
    assert skipped(simulated, key, intent) == "price_drift"
    simulated.market.prices["BONK"] *= Decimal("0.9")
    with simulated.executor(key) as executor:
        executor.prepare(intent, position_row(), 1)  # cheaper is no drift
        executor.prepare(exit_, position_row(BONK, HELD), 1)  # and exits never wait for a better price


def test_a_transfer_fee_counts_as_drift(simulated: SimulatedSolana) -> None:
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), simulated.buy(str(FEE_TOKEN.mint))) == "price_drift"


def test_price_impact(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(USDC=50_000_000_000, BONK=10**15)
    cheap = simulated.price(BONK).scaled(Ratio("1.1"))
    assert skipped(simulated, key, simulated.buy(dollars="50000", decision_price=cheap)) == "price_impact"
    held = Quantity(2_500_000_000)
    with simulated.executor(key) as executor:
        executor.prepare(simulated.sell(BONK, held), position_row(BONK, held), 1)


@pytest.mark.parametrize("decision", [Decision.DEMOTE, Decision.TRIM])
def test_dust_is_left(simulated: SimulatedSolana, decision: Decision) -> None:
    key = simulated.wallet(USDC=ENOUGH, BONK=10**12)
    assert (
        skipped(simulated, key, simulated.sell(BONK, Quantity(40_000), decision), position_row(BONK, Quantity(40_000)))
        == "dust"
    )


def test_nothing_to_sell(simulated: SimulatedSolana) -> None:
    flat, holding = position_row(BONK), position_row(BONK, HELD)
    assert skipped(simulated, simulated.wallet(BONK=10**12), simulated.sell(BONK, HELD), flat) == "nothing_to_sell"
    assert skipped(simulated, simulated.wallet(), simulated.sell(BONK, HELD), holding) == "nothing_to_sell"


def test_the_simulation_fails(simulated: SimulatedSolana, monkeypatch: pytest.MonkeyPatch) -> None:
    """The market moves between the quote and the simulation."""
    swap = Jupiter.swap

    async def slow(self: Jupiter, *args: Any) -> Swap:
        built = await swap(self, *args)
        simulated.market.prices["BONK"] *= 2
        return built

    monkeypatch.setattr(Jupiter, "swap", slow)
    assert skipped(simulated, simulated.wallet(USDC=ENOUGH), simulated.buy()) == "simulation_failed"


def test_a_better_price_is_accepted(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        executor.prepare(simulated.buy(decision_price=Price(1)), position_row(), 1)
