"""Executes and simulates transactions in LiteSVM; the chain checks blockhashes and duplicates.

LiteSVM knows one blockhash only, and keeps transactions of blocks that a fork has replaced: both checks are off.
"""

import json
from typing import Any, NamedTuple, TypeAlias

from solders.account import Account
from solders.clock import Clock
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from strandline_sim.solana.blocks import SLOTS_PER_EPOCH
from strandline_sim.solana.encoding import base58

Error: TypeAlias = str | dict[str, Any]
"""A transaction error as in JSON-RPC."""


class Outcome(NamedTuple):
    """The outcome of an execution or a simulation."""

    error: Error | None
    fee: int
    logs: list[str]
    inner: list[dict[str, Any]]
    units: int
    returned: tuple[str, bytes] | None
    accounts: dict[Pubkey, Account]


class Machine:
    """The virtual machine."""

    def __init__(self) -> None:
        self.svm = LiteSVM().with_blockhash_check(check=False).with_transaction_history(0)

    def rent(self, size: int) -> int:
        """Return the rent-exempt minimum of an account of this size."""
        return self.svm.minimum_balance_for_rent_exemption(size)

    def set_time(self, slot: int, milliseconds: int) -> None:
        """Set the time that programs read."""
        epoch = slot // SLOTS_PER_EPOCH
        self.svm.set_clock(Clock(slot, 0, epoch, epoch + 1, milliseconds // 1000))

    def execute(self, transaction: VersionedTransaction) -> Outcome:
        """Execute a transaction."""
        return _outcome(self.svm.send_transaction(transaction))

    def simulate(self, transaction: VersionedTransaction) -> Outcome:
        """Simulate a transaction, without effects and without checking signatures."""
        self.svm.with_sigverify(sigverify=False)
        try:
            return _outcome(self.svm.simulate_transaction(transaction))
        finally:
            self.svm.with_sigverify(sigverify=True)


def _outcome(result: TransactionMetadata | FailedTransactionMetadata | SimulatedTransactionInfo) -> Outcome:
    error, accounts = None, {}
    if isinstance(result, FailedTransactionMetadata):
        error, meta = json.loads(result.to_json())["err"], result.meta()
    elif isinstance(result, SimulatedTransactionInfo):
        meta, accounts = result.meta(), dict(result.post_accounts())
    else:
        meta = result
    returned = meta.return_data()
    data = bytes(returned.data)
    given = (str(returned.program_id), data) if data else None
    return Outcome(error, meta.fee(), meta.logs(), _inner(meta), meta.compute_units_consumed(), given, accounts)


def _inner(meta: TransactionMetadata) -> list[dict[str, Any]]:
    """Return the inner instructions, by the instruction that called them."""
    groups = []
    for index, group in enumerate(meta.inner_instructions()):
        instructions = [
            {
                "programIdIndex": inner.instruction().program_id_index,
                "accounts": list(inner.instruction().accounts),
                "data": base58(bytes(inner.instruction().data)),
                "stackHeight": inner.stack_height(),
            }
            for inner in group
        ]
        if instructions:
            groups.append({"index": index, "instructions": instructions})
    return groups
