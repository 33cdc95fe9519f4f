"""Every reason not to trade; and nothing of it leaves a trace."""

from decimal import Decimal
from typing import Any

import pytest
from solders.keypair import Keypair

from strandline.model.exact import Price, Quantity, Ratio
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.plan import SkipExecution
from strandline.model.position import Position
from strandline.venues.solana.jupiter import Jupiter, Swap
from tests.strandline_sim.solana.box import BONK, SOL, TOLL, UNPRICED, USDC
from tests.venues.solana.town import Town, row

ENOUGH = 1_000_000_000
HELD = Quantity(5_000_000)


def skipped(town: Town, key: Keypair, intent: ExecutionIntent, position: Position | None = None) -> str:
    """The reason."""
    before = len(town.tape)
    with town.executor(key) as executor, pytest.raises(SkipExecution) as skip:
        executor.prepare(intent, position or row(), 1)
    assert len(town.tape) == before
    return skip.value.reason


def test_an_expired_intent(town: Town) -> None:
    intent = town.buy()
    town.later(300)
    assert skipped(town, town.wallet(USDC=ENOUGH), intent) == "expired"


def test_too_little_to_spend(town: Town) -> None:
    assert skipped(town, town.wallet(USDC=ENOUGH), town.buy(dollars="0.99")) == "min_notional"


@pytest.mark.parametrize("usdc", [0, 99_999_999])
def test_not_enough_usdc(town: Town, usdc: int) -> None:
    assert (
        skipped(town, town.wallet(**{"USDC": usdc} if usdc else {}), town.buy(dollars="100")) == "insufficient_balance"
    )


def test_entries_leave_the_gas_reserve_alone_and_exits_may_use_it(town: Town) -> None:
    key = town.wallet(sol=0.019, USDC=ENOUGH, BONK=10**12)
    assert skipped(town, key, town.buy()) == "gas_low"
    with town.executor(key) as executor:
        assert executor.prepare(town.sell(BONK, HELD), row(BONK, HELD), 1).quantity == HELD


def test_an_exit_without_any_gas(town: Town) -> None:
    key = town.wallet(sol=0.000001, USDC=ENOUGH, BONK=10**12)
    assert skipped(town, key, town.sell(BONK, HELD), row(BONK, HELD)) == "gas_low"


@pytest.mark.parametrize("mint", [str(Keypair.from_seed(b"m" * 32).pubkey()), str(UNPRICED.mint), USDC])
def test_what_cannot_be_traded(town: Town, mint: str) -> None:
    intent = town.buy()
    changed = {name: getattr(intent, name) for name in intent.__struct_fields__} | {"token_contract": mint}
    assert skipped(town, town.wallet(USDC=ENOUGH), ExecutionIntent(**changed)) == "not_tradable"


def test_nothing_arrives_at_such_a_price(town: Town) -> None:
    town.market.prices["SOL"] = Decimal(10) ** 12
    assert skipped(town, town.wallet(USDC=ENOUGH), town.buy(SOL, "1")) == "no_route"


def test_the_price_has_run_away(town: Town) -> None:
    key = town.wallet(USDC=ENOUGH, BONK=10**12)
    intent, exit_ = town.buy(), town.sell(BONK, HELD)
    town.market.prices["BONK"] *= Decimal("1.01")
    assert skipped(town, key, intent) == "price_drift"
    town.market.prices["BONK"] *= Decimal("0.9")
    with town.executor(key) as executor:
        executor.prepare(intent, row(), 1)  # cheaper is no drift
        executor.prepare(exit_, row(BONK, HELD), 1)  # and exits never wait for a better price


def test_a_toll_counts_as_drift(town: Town) -> None:
    assert skipped(town, town.wallet(USDC=ENOUGH), town.buy(str(TOLL.mint))) == "price_drift"


def test_the_market_is_too_thin(town: Town) -> None:
    key = town.wallet(USDC=50_000_000_000, BONK=10**15)
    cheap = town.price(BONK).scaled(Ratio("1.1"))
    assert skipped(town, key, town.buy(dollars="50000", decision_price=cheap)) == "price_impact"
    held = Quantity(2_500_000_000)
    with town.executor(key) as executor:
        executor.prepare(town.sell(BONK, held), row(BONK, held), 1)


@pytest.mark.parametrize("decision", [Decision.DEMOTE, Decision.TRIM])
def test_dust_is_left(town: Town, decision: Decision) -> None:
    key = town.wallet(USDC=ENOUGH, BONK=10**12)
    assert skipped(town, key, town.sell(BONK, Quantity(40_000), decision), row(BONK, Quantity(40_000))) == "dust"


def test_nothing_to_sell(town: Town) -> None:
    flat, holding = row(BONK), row(BONK, HELD)
    assert skipped(town, town.wallet(BONK=10**12), town.sell(BONK, HELD), flat) == "nothing_to_sell"
    assert skipped(town, town.wallet(), town.sell(BONK, HELD), holding) == "nothing_to_sell"


def test_the_rehearsal_fails(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The market moves between the quote and the rehearsal."""
    swap = Jupiter.swap

    async def slow(self: Jupiter, *args: Any) -> Swap:
        built = await swap(self, *args)
        town.market.prices["BONK"] *= 2
        return built

    monkeypatch.setattr(Jupiter, "swap", slow)
    assert skipped(town, town.wallet(USDC=ENOUGH), town.buy()) == "simulation_failed"


def test_a_better_price_is_not_refused(town: Town) -> None:
    with town.executor(town.wallet(USDC=ENOUGH)) as executor:
        executor.prepare(town.buy(decision_price=Price(1)), row(), 1)
