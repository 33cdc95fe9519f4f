"""A transaction from Jupiter is signed only if it does nothing but the swap."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from strandline.model.plan import ExecutionPlan
from strandline.venues.solana import simulation
from strandline.venues.solana.addresses import JUPITER_PROGRAM
from strandline.venues.solana.checks import MAX_PRIORITY_FEE, UnsafeTransactionError, checked
from strandline.venues.solana.compute_budget import made_unique, priority_fee
from strandline.venues.solana.jupiter import Jupiter, JupiterError, Quote, Swap
from strandline.venues.solana.plan_details import PlanDetails
from tests.strandline_sim.solana.simulation import USDC
from tests.venues.solana.simulated_solana import SimulatedSolana, position_row

WALLET, OTHER = (Keypair.from_seed(bytes([number]) * 32).pubkey() for number in (1, 2))
LIMIT, PRICE = set_compute_unit_limit(1_400_000), set_compute_unit_price(5_000)
SWAP = Instruction(JUPITER_PROGRAM, b"route", [AccountMeta(WALLET, is_signer=True, is_writable=True)])


def composed(
    instructions: Sequence[Instruction], payer: Pubkey = WALLET, kind: Callable[..., Any] | None = None
) -> str:
    """Make an unsigned transaction, in base 64."""
    blockhash = Hash.from_bytes(b"h" * 32)
    message = (
        MessageV0.try_compile(payer, instructions, [], blockhash)
        if kind is None
        else kind(instructions, payer, blockhash)
    )
    room = [Signature.default()] * message.header.num_required_signatures
    return base64.b64encode(bytes(VersionedTransaction.populate(message, room))).decode()


def test_a_valid_swap_passes() -> None:
    assert priority_fee(checked(composed([LIMIT, PRICE, SWAP]), str(WALLET))) == 7_000


PAY = transfer(TransferParams(from_pubkey=WALLET, to_pubkey=OTHER, lamports=1))
ANOTHER_SIGNS = Instruction(JUPITER_PROGRAM, b"route", [AccountMeta(OTHER, is_signer=True, is_writable=False)])


@pytest.mark.parametrize(
    ("transaction", "fault"),
    [
        (composed([LIMIT, PRICE, SWAP], OTHER), "signed by"),
        (composed([LIMIT, PRICE, SWAP, ANOTHER_SIGNS]), "signed by"),
        (composed([LIMIT, PRICE, SWAP, PAY]), "calls 1111"),
        (composed([LIMIT, PRICE, Instruction(OTHER, b"", [])]), f"calls {OTHER}"),
        (composed([PRICE, SWAP]), "does not set its priority fee"),
        (composed([LIMIT, SWAP]), "does not set its priority fee"),
        (composed([LIMIT, set_compute_unit_limit(1), PRICE, SWAP]), "does not set its priority fee"),
        (composed([LIMIT, set_compute_unit_price(MAX_PRIORITY_FEE), SWAP]), "priority fee is 14000000 lamports"),
        (composed([LIMIT, PRICE, SWAP], kind=Message.new_with_blockhash), "not of version 0"),
        ("AAAA", "cannot be read"),
        ("not base 64", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_other_instructions_are_not_signed(transaction: str, fault: str) -> None:
    with pytest.raises(UnsafeTransactionError, match=fault):
        checked(transaction, str(WALLET))


def test_a_changed_plan_is_not_signed(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=10**9)) as executor:
        plan = executor.prepare(simulated.buy(), position_row(), 1)
        fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
        details = PlanDetails.of(plan.details)._replace(transaction=composed([LIMIT, PRICE, PAY])).details()
        with pytest.raises(UnsafeTransactionError):
            executor.sign(ExecutionPlan(**{**fields, "details": details}), None)


def test_a_number_makes_equal_transactions_unique_at_no_cost() -> None:
    message = checked(composed([LIMIT, PRICE, SWAP]), str(WALLET))
    unique = {bytes(made_unique(message, number)) for number in range(1000)}
    assert len(unique) == 1000
    for number in (0, 1, 12345, 2**128 - 1):
        changed = made_unique(message, number)
        fee = priority_fee(changed)
        assert fee is not None
        assert 7_000 * 15 // 16 <= fee <= 7_000
        assert changed.account_keys == message.account_keys
        assert changed.instructions[1:] == message.instructions[1:]


@pytest.mark.parametrize("factor", [0.5, 2])
def test_a_swap_of_another_size_is_not_signed(
    simulated: SimulatedSolana, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    honest = Jupiter.swap

    async def crooked(self: Jupiter, quote: Quote, *args: Any) -> Swap:
        other = await self.quote(quote.input_mint, quote.output_mint, int(quote.amount_in * factor), 50)
        return await honest(self, other, *args)

    monkeypatch.setattr(Jupiter, "swap", crooked)
    with pytest.raises(UnsafeTransactionError, match=f"of {USDC} instead of"):
        prepare(simulated)


def test_a_swap_that_brings_less_than_quoted_is_not_signed(
    simulated: SimulatedSolana, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Jupiter.quote

    async def crooked(self: Jupiter, *args: Any) -> Quote:
        quote = await honest(self, *args)
        return msgspec.structs.replace(quote, other_amount_threshold=str(2 * quote.expected_out))

    monkeypatch.setattr(Jupiter, "quote", crooked)
    with pytest.raises(UnsafeTransactionError, match="less than"):
        prepare(simulated)


def test_a_swap_that_costs_too_much_sol_is_not_signed(
    simulated: SimulatedSolana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "MAX_OTHER_LAMPORTS", 2_000_000)  # less than the rent of one account
    with pytest.raises(UnsafeTransactionError, match="it costs"):
        prepare(simulated)


def test_a_quote_for_another_swap_is_refused(simulated: SimulatedSolana, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Jupiter._request

    async def mixed_up(self: Jupiter, *args: Any, **options: Any) -> bytes:
        return (await honest(self, *args, **options)).replace(b"100000000", b"100000001")

    monkeypatch.setattr(Jupiter, "_request", mixed_up)
    with pytest.raises(JupiterError, match="another swap"):
        prepare(simulated)


def prepare(simulated: SimulatedSolana) -> ExecutionPlan:
    """Prepare a buy for 100 dollars in a new wallet."""
    with simulated.executor(simulated.wallet(USDC=10**9)) as executor:
        return executor.prepare(simulated.buy(dollars="100"), position_row(), 1)
