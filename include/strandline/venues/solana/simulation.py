"""What a transaction would do to the wallet, by the node's own simulation: nothing else is signed."""

from typing import Final

from strandline.model.plan import SkipExecution
from strandline.venues.solana.balances import Funds, tokens_in
from strandline.venues.solana.checks import MOST_PRIORITY_FEE, UnsafeTransactionError
from strandline.venues.solana.node import Node, NodeError
from strandline.venues.solana.plan_details import PlanDetails

MOST_BESIDES: Final = MOST_PRIORITY_FEE + 5_000_000
"""Lamports: the fee, and the rent for an account of each token of a swap, with room for extensions."""
_GAS_ERRORS: Final = ("InsufficientFundsForFee", "InsufficientFundsForRent", "AccountNotFound")


async def simulate(node: Node, terms: PlanDetails, wallet: str, funds: Funds) -> None:
    """Return if it pays just what it should, brings enough, and takes no more SOL than a swap can cost."""
    paid, got = (funds.usdc, funds.token) if terms.input_mint == funds.usdc.mint else (funds.token, funds.usdc)
    played = await node.simulate(terms.transaction, [wallet, paid.account, got.account])
    if played.err is not None:
        raise SkipExecution(_reason(played.err), f"rehearsed, the swap fails with {played.err}")
    if played.accounts is None or len(played.accounts) != 3:
        raise NodeError("simulateTransaction did not tell the accounts that it was asked for")
    own, source, destination = played.accounts
    spent, arrived = paid.amount - tokens_in(source), tokens_in(destination) - got.amount
    gas = funds.lamports - (0 if own is None else own.lamports)
    if spent != terms.amount_in:
        raise UnsafeTransactionError(f"rehearsed, it takes {spent} of {paid.mint} instead of {terms.amount_in}")
    if arrived < terms.least_out:
        raise UnsafeTransactionError(f"rehearsed, it brings {arrived} of {got.mint}, less than {terms.least_out}")
    if gas > MOST_BESIDES:
        raise UnsafeTransactionError(f"rehearsed, it takes {gas} lamports besides")


def _reason(error: object) -> str:
    name = next(iter(error), "") if isinstance(error, dict) else error
    return "gas_low" if name in _GAS_ERRORS else "simulation_failed"
