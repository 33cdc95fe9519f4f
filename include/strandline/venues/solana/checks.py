"""Checks a transaction that Jupiter built before it is signed."""

import base64
from typing import Final

from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from strandline.model.errors import StrandlineError
from strandline.venues.solana.addresses import COMPUTE_BUDGET_PROGRAM, JUPITER_PROGRAM, TOKEN_ACCOUNT_PROGRAM
from strandline.venues.solana.compute_budget import priority_fee

MAX_PRIORITY_FEE: Final = 10_000_000
"""The highest priority fee in lamports that is paid, however urgent the trade."""

_EXPECTED_PROGRAMS: Final = frozenset({COMPUTE_BUDGET_PROGRAM, TOKEN_ACCOUNT_PROGRAM, JUPITER_PROGRAM})
"""None of them moves a wallet's assets except Jupiter's swap, which is simulated before it is signed."""


class UnsafeTransactionError(StrandlineError):
    """The transaction was not signed."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"Jupiter's transaction was not signed: {fault}", "see that STRANDLINE_JUPITER_URL is Jupiter's"
        )


def checked(transaction: str, wallet: str) -> MessageV0:
    """Return the message of a base64 transaction; raise unless only this wallet signs and pays, and it only swaps."""
    message = _message(transaction)
    signers = [str(key) for key in message.account_keys[: message.header.num_required_signatures]]
    if signers != [wallet]:
        raise UnsafeTransactionError(f"it must be signed by {', '.join(signers) or 'nobody'}, not by {wallet} alone")
    for instruction in message.instructions:
        index = instruction.program_id_index
        program = message.account_keys[index] if index < len(message.account_keys) else None
        if program not in _EXPECTED_PROGRAMS:
            raise UnsafeTransactionError(f"it calls {program or 'a program that is not among its accounts'}")
    fee = priority_fee(message)
    if fee is None:
        raise UnsafeTransactionError("it does not set its priority fee exactly once")
    if fee > MAX_PRIORITY_FEE:
        raise UnsafeTransactionError(f"its priority fee is {fee} lamports, more than {MAX_PRIORITY_FEE}")
    return message


def _message(transaction: str) -> MessageV0:
    try:
        message = VersionedTransaction.from_bytes(base64.b64decode(transaction, validate=True)).message
    except Exception as error:  # whatever the parser dislikes
        raise UnsafeTransactionError("it cannot be read") from error
    if not isinstance(message, MessageV0):
        raise UnsafeTransactionError(f"it is a {type(message).__name__}, not of version 0")
    return message
