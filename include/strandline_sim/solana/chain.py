"""The chain: executes transactions in blocks, undoes them in forks, and writes all of it to the tape.

A transaction lands in the newest block when it is sent, unless a fault is injected on the route `solana/landing`:
`drop_request` (it is lost on the way to the leader; the node sends it again every five blocks, up to maxRetries),
`delay` (it lands `value` milliseconds later; below zero in the last block in which it is valid), `fork` (it lands, and
`value` milliseconds later, but at least one block, its block is replaced; other transactions in the replaced blocks
land again).
"""

import base64
import heapq
import json
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, Final, Protocol, TypeAlias

from solders.hash import Hash
from solders.transaction import VersionedTransaction

from strandline_sim.clock import Clock
from strandline_sim.command_log import CommandLog
from strandline_sim.faults import FaultKind, Faults
from strandline_sim.solana.accounts import Accounts
from strandline_sim.solana.blocks import FINAL_BLOCKS, VALID_BLOCKS, Blocks
from strandline_sim.solana.landed import Landed, balances
from strandline_sim.solana.machine import Error, Machine, Outcome
from strandline_sim.solana.transactions import InstructionCall, all_keys, calls_of, has_valid_signatures, loaded_keys
from strandline_sim.tape import Tape

RETRY_BLOCKS: Final = 5
_LANDING: Final = "solana/landing"
_LANDING_FAULTS: Final = (FaultKind.DROP_REQUEST, FaultKind.DELAY, FaultKind.FORK)


_Event: TypeAlias = tuple[int, int, Callable[[int], object]]


class Oracle(Protocol):
    """Provides the programs on chain with market prices."""

    def prepare(self, calls: list[InstructionCall], instant: int) -> list[dict[str, str]]:
        """Write the prices before an execution; return what the tape records about them."""


class Chain:
    """The chain as one node sees it."""

    def __init__(
        self,
        clock: Clock,
        tape: Tape,
        faults: Faults,
        machine: Machine,
        accounts: Accounts,
        blocks: Blocks,
        oracle: Oracle,
        on_scheduled: Callable[[int], None] = lambda _: None,
        command_log: CommandLog | None = None,
    ) -> None:
        self.accounts = accounts
        self.blocks = blocks
        self.machine = machine
        self._clock = clock
        self._tape = tape
        self._faults = faults
        self._oracle = oracle
        self._on_scheduled = on_scheduled
        self._landed: dict[str, Landed] = {}
        self._signatures_by_address: dict[str, list[str]] = {}
        self._events: list[_Event] = []
        self._order = count()
        self._at = clock.now()
        self._command_log = command_log or CommandLog(clock)
        self._record_receive = self._command_log.register("receive", self._receive)

    def sync(self) -> int:
        """Execute what is due; return the height of the newest block."""
        now = self._clock.now()
        newest = self.blocks.height_at(now)
        while self._events and self._events[0][0] <= newest:
            height, _, act = heapq.heappop(self._events)
            self._at = self.blocks.time_of(height)
            act(height)
        self._at = now
        return newest

    def landed(self, signature: str) -> Landed | None:
        """Return the transaction if it is in a block."""
        return self._landed.get(signature)

    def signatures_of(self, address: str) -> list[str]:
        """Return the signatures of transactions that name the address, oldest first."""
        return self._signatures_by_address.get(address, [])

    def recent(self, since: int) -> list[Landed]:
        """Return the transactions from the block of this height on."""
        found = []
        for landed in reversed(self._landed.values()):
            if landed.height < since:
                break
            found.append(landed)
        return found[::-1]

    def transaction_count(self, height: int) -> int:
        """Return the number of transactions up to the block of this height."""
        return len(self._landed) - len(self.recent(height + 1))

    def receive(self, transaction: VersionedTransaction, retries: int | None = None) -> str:
        """Forward a transaction to the leader, with any number of retries if none is given; it need not land."""
        self._record_receive({"transaction": base64.b64encode(bytes(transaction)).decode(), "retries": retries})
        return str(transaction.signatures[0])

    def simulate(
        self, transaction: VersionedTransaction, height: int, *, replace_blockhash: bool = False
    ) -> tuple[Error | None, Outcome | None]:
        """Simulate at this height; return the error, and the outcome unless it could not be executed at all."""
        message = transaction.message
        if not replace_blockhash and not self.blocks.valid(message.recent_blockhash, height):
            return "BlockhashNotFound", None
        known = self._landed.get(str(transaction.signatures[0]))
        if known is not None and known.height <= height and not replace_blockhash:
            return "AlreadyProcessed", None
        keys = all_keys(message, loaded_keys(message, self.accounts))
        with self.accounts.as_of(height, keys):
            instant = self.blocks.time_of(height)
            self.machine.set_time(self.blocks.slot_of(height), instant)
            self._oracle.prepare(calls_of(message, keys), instant)
            outcome = self.machine.simulate(transaction)
        return outcome.error, outcome

    def last_valid_height(self, blockhash: Hash) -> int | None:
        """Return the last height at which the blockhash is valid; None for an unknown one."""
        height = self.blocks.height_of(blockhash, self.blocks.height_at(self._clock.now()))
        return None if height is None else height + VALID_BLOCKS

    def note(self, kind: str, data: dict[str, Any]) -> None:
        """Write an event outside of blocks to the tape."""
        self._tape.append(self._clock.now(), "solana", kind, data)

    def _receive(self, command: dict[str, Any]) -> None:
        transaction = VersionedTransaction.from_bytes(base64.b64decode(command["transaction"]))
        height = self.sync()
        self._write("received", {"signature": str(transaction.signatures[0])})
        self._attempt(transaction, command["retries"], height)

    def _attempt(self, transaction: VersionedTransaction, retries: int | None, height: int) -> None:
        signature = str(transaction.signatures[0])
        if signature in self._landed:
            return
        fault = self._command_log.choose(self._landing_fault)
        if fault is None:
            self._land(transaction, height)
        elif fault["kind"] == FaultKind.DROP_REQUEST:
            if retries == 0 or not self.blocks.valid(transaction.message.recent_blockhash, height + RETRY_BLOCKS):
                self._write("dropped", {"signature": signature, "reason": "lost"})
            else:
                left = None if retries is None else retries - 1
                self._schedule(height + RETRY_BLOCKS, partial(self._attempt, transaction, left))
        elif fault["kind"] == FaultKind.DELAY:
            delayed = self._delayed_height(transaction, height, fault["milliseconds"])
            self._schedule(delayed, partial(self._land, transaction))
        elif self._land(transaction, height):
            later = self.blocks.height_at(self._at + fault["milliseconds"])
            self._schedule(min(max(later, height + 1), height + FINAL_BLOCKS - 1), partial(self._fork, signature))

    def _landing_fault(self) -> dict[str, Any] | None:
        rule = self._faults.inject(_LANDING, self._at, _LANDING_FAULTS)
        return None if rule is None else {"kind": rule.kind, "milliseconds": int(rule.value)}

    def _delayed_height(self, transaction: VersionedTransaction, height: int, milliseconds: int) -> int:
        if milliseconds >= 0:
            return max(self.blocks.height_at(self._at + milliseconds), height)
        made = self.blocks.height_of(transaction.message.recent_blockhash, height)
        return height if made is None else made + VALID_BLOCKS

    def _land(self, transaction: VersionedTransaction, height: int) -> bool:
        """Execute it in the block of this height, or drop it; return whether it is in the block."""
        signature = str(transaction.signatures[0])
        if signature in self._landed:
            return False
        reason = self._rejection_reason(transaction, height) or self._execute(signature, transaction, height)
        if reason is not None:
            self._write("dropped", {"signature": signature, "reason": reason})
        return reason is None

    def _rejection_reason(self, transaction: VersionedTransaction, height: int) -> str | None:
        if not has_valid_signatures(transaction):
            return "SignatureFailure"
        return None if self.blocks.valid(transaction.message.recent_blockhash, height) else "BlockhashNotFound"

    def _execute(self, signature: str, transaction: VersionedTransaction, height: int) -> str | None:
        """Execute it; return a reason if it is not in the block because it cannot pay its fee."""
        loaded = loaded_keys(transaction.message, self.accounts)
        keys = all_keys(transaction.message, loaded)
        instant = self.blocks.time_of(height)
        self.machine.set_time(self.blocks.slot_of(height), instant)
        swaps = self._oracle.prepare(calls_of(transaction.message, keys), instant)
        states = {key: self.accounts.get(key) for key in keys}
        before = balances(self.accounts, keys)
        outcome = self.machine.execute(transaction)
        after = balances(self.accounts, keys)
        if outcome.error is not None and after[0].lamports == before[0].lamports:
            return _text(outcome.error)
        fee = outcome.fee
        landed = Landed(
            *(signature, transaction, height, keys, loaded, outcome.error, fee, before, after),
            *(outcome.logs, outcome.inner, outcome.units),
        )
        self.accounts.record(height, states)
        self._landed[signature] = landed
        for key in keys:
            self._signatures_by_address.setdefault(str(key), []).append(signature)
        self._write_landed(landed, swaps)
        return None

    def _fork(self, lost: str, height: int) -> None:
        landed = self._landed.get(lost)
        if landed is None:
            return
        undone = self.recent(landed.height)
        self.accounts.undo(landed.height)
        self.blocks.fork(landed.height)
        for one in undone:
            del self._landed[one.signature]
            for key in one.keys:
                self._signatures_by_address[str(key)].remove(one.signature)
        signatures = [one.signature for one in undone]
        self._write("forked", {"lost": lost, "from_height": landed.height, "height": height, "undone": signatures})
        for one in undone:
            if one.signature != lost:
                self._land(one.transaction, height)

    def _schedule(self, height: int, act: Callable[[int], object]) -> None:
        event: _Event = (height, next(self._order), act)
        heapq.heappush(self._events, event)
        self._on_scheduled(self.blocks.time_of(height))

    def _write_landed(self, landed: Landed, swaps: list[dict[str, str]]) -> None:
        data: dict[str, Any] = {
            "signature": landed.signature,
            "slot": self.blocks.slot_of(landed.height),
            "height": landed.height,
            "fee": str(landed.fee),
            "payer": str(landed.keys[0]),
            "lamports": landed.lamport_deltas(),
            "tokens": landed.token_deltas(),
        }
        if swaps:
            data["swaps"] = swaps
        if landed.error is None:
            self._write("landed", data)
        else:
            self._write("failed", {**data, "error": _text(landed.error)})

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        self._tape.append(self._at, "solana", kind, data)


def _text(error: Error) -> str:
    return error if isinstance(error, str) else json.dumps(error, separators=(",", ":"), sort_keys=True)
