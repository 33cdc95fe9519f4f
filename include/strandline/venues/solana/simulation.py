"""Simulates a swap on the node before it is signed."""

from typing import Final

from strandline.model.plan import SkipExecution
from strandline.venues.solana.balances import Balances, tokens_in
from strandline.venues.solana.checks import MAX_PRIORITY_FEE, UnsafeTransactionError
from strandline.venues.solana.node import Node, NodeError
from strandline.venues.solana.plan_details import PlanDetails

MAX_OTHER_LAMPORTS: Final = MAX_PRIORITY_FEE + 5_000_000
"""The highest cost of a swap in lamports: the fee, and rent for token accounts with room for extensions."""
_GAS_ERRORS: Final = ("InsufficientFundsForFee", "InsufficientFundsForRent", "AccountNotFound")


async def simulate(node: Node, details: PlanDetails, wallet: str, balances: Balances) -> None:
    """Raise unless it spends exactly the planned amount, brings enough, and costs no more SOL than a swap can."""
    paid, got = (
        (balances.usdc, balances.token) if details.input_mint == balances.usdc.mint else (balances.token, balances.usdc)
    )
    simulated = await node.simulate(details.transaction, [wallet, paid.account, got.account])
    if simulated.err is not None:
        raise SkipExecution(_reason(simulated.err), f"simulated, the swap fails with {simulated.err}")
    if simulated.accounts is None or len(simulated.accounts) != 3:
        raise NodeError("simulateTransaction did not return the requested accounts")
    own, source, destination = simulated.accounts
    spent, arrived = paid.amount - tokens_in(source), tokens_in(destination) - got.amount
    gas = balances.lamports - (0 if own is None else own.lamports)
    if spent != details.amount_in:
        raise UnsafeTransactionError(f"simulated, it spends {spent} of {paid.mint} instead of {details.amount_in}")
    if arrived < details.least_out:
        raise UnsafeTransactionError(f"simulated, it brings {arrived} of {got.mint}, less than {details.least_out}")
    if gas > MAX_OTHER_LAMPORTS:
        raise UnsafeTransactionError(f"simulated, it costs {gas} lamports")


def _reason(error: object) -> str:
    name = next(iter(error), "") if isinstance(error, dict) else error
    return "gas_low" if name in _GAS_ERRORS else "simulation_failed"
