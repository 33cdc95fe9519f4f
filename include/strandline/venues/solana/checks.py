"""What a transaction must be before we sign it: somebody else composed it."""

import base64
from typing import Final

from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from strandline.model.errors import StrandlineError
from strandline.venues.solana.addresses import COMPUTE_BUDGET_PROGRAM, JUPITER_PROGRAM, TOKEN_ACCOUNT_PROGRAM
from strandline.venues.solana.compute_budget import priority_fee

MOST_PRIORITY_FEE: Final = 10_000_000
"""Lamports; a bid for being executed that is higher is not made, however urgent it is."""

_EXPECTED_PROGRAMS: Final = frozenset({COMPUTE_BUDGET_PROGRAM, TOKEN_ACCOUNT_PROGRAM, JUPITER_PROGRAM})
"""None of them moves anything of a wallet by itself, except by Jupiter's swap, which is rehearsed."""


class UnsafeTransactionError(StrandlineError):
    """Nothing was signed."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"Jupiter's transaction was not signed: {fault}", "see that STRANDLINE_JUPITER_URL is Jupiter's"
        )


def checked(transaction: str, wallet: str) -> MessageV0:
    """The message of a base64 transaction that this wallet alone signs and pays for, and that only swaps."""
    message = _message(transaction)
    signers = [str(key) for key in message.account_keys[: message.header.num_required_signatures]]
    if signers != [wallet]:
        raise UnsafeTransactionError(f"it is to be signed by {', '.join(signers) or 'nobody'}, not by {wallet} alone")
    for instruction in message.instructions:
        index = instruction.program_id_index
        program = message.account_keys[index] if index < len(message.account_keys) else None
        if program not in _EXPECTED_PROGRAMS:
            raise UnsafeTransactionError(f"it calls {program or 'a program that it does not name'}")
    fee = priority_fee(message)
    if fee is None:
        raise UnsafeTransactionError("it does not say what it bids for being executed")
    if fee > MOST_PRIORITY_FEE:
        raise UnsafeTransactionError(f"it bids {fee} lamports for being executed, more than {MOST_PRIORITY_FEE}")
    return message


def _message(transaction: str) -> MessageV0:
    try:
        message = VersionedTransaction.from_bytes(base64.b64decode(transaction, validate=True)).message
    except Exception as error:  # whatever the parser dislikes
        raise UnsafeTransactionError("it cannot be read") from error
    if not isinstance(message, MessageV0):
        raise UnsafeTransactionError(f"it is a {type(message).__name__}, not of version 0")
    return message
