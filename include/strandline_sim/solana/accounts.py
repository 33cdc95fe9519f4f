"""The accounts in LiteSVM, with a journal of earlier states for forks and for reads at a commitment.

LiteSVM keeps the newest state only and has no rollback.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from solders.account import Account
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey

from strandline_sim.solana.blocks import FINAL_BLOCKS
from strandline_sim.solana.token_accounts import SYSTEM_PROGRAM, Holding, read_holding

JOURNAL_BLOCKS: Final = 2 * FINAL_BLOCKS
"""Twice what finality needs, so that a node that is behind can still read."""

State = Account | None
_NOTHING: Final = Account(0, b"", SYSTEM_PROGRAM, executable=False, rent_epoch=0)


class Change(NamedTuple):
    """The states of accounts before a transaction in the block of this height."""

    height: int
    before: dict[Pubkey, State]


class Accounts:
    """Reads and writes accounts, and reads their states of recent blocks."""

    def __init__(self, svm: LiteSVM) -> None:
        self._svm = svm
        self._journal: deque[Change] = deque()
        self._token_accounts: dict[Pubkey, dict[Pubkey, None]] = {}

    def get(self, address: Pubkey) -> State:
        """Return the newest state; an account without lamports does not exist."""
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def put(self, address: Pubkey, state: State) -> None:
        """Set the state outside of any transaction."""
        self._svm.set_account(address, _NOTHING if state is None else state)
        self._index(address, state)

    def at(self, address: Pubkey, height: int) -> State:
        """Return the state after the block of this height."""
        for change in self._journal:
            if change.height > height and address in change.before:
                return change.before[address]
        return self.get(address)

    def of_owner(self, owner: Pubkey, height: int) -> Iterator[tuple[Pubkey, Account, Holding]]:
        """Yield the token accounts of a wallet after the block of this height."""
        for address in self._token_accounts.get(owner, ()):
            account = self.at(address, height)
            holding = read_holding(account.owner, account.data) if account is not None else None
            if account is not None and holding is not None and holding.owner == owner:
                yield address, account, holding

    @contextmanager
    def as_of(self, height: int, addresses: Iterable[Pubkey]) -> Iterator[None]:
        """Set these accounts back to the state of this height within the block, for a simulation."""
        now = {address: self.get(address) for address in addresses}
        then = {address: self.at(address, height) for address in now}
        changed = [address for address in now if now[address] != then[address]]
        for address in changed:
            self.put(address, then[address])
        try:
            yield
        finally:
            for address in changed:
                self.put(address, now[address])

    def record(self, height: int, before: dict[Pubkey, State]) -> None:
        """Record an executed transaction with the states of its accounts before it."""
        self._journal.append(Change(height, before))
        while self._journal[0].height < height - JOURNAL_BLOCKS:
            self._journal.popleft()
        for address in before:
            self._index(address, self.get(address))

    def undo(self, height: int) -> None:
        """Undo all transactions from this height on."""
        while self._journal and self._journal[-1].height >= height:
            for address, state in self._journal.pop().before.items():
                self.put(address, state)

    def adjust(self, address: Pubkey, change: Callable[[State], Account]) -> None:
        """Change an account from outside, at every height, so that every commitment and fork has the change."""
        self.put(address, change(self.get(address)))
        for entry in self._journal:
            if address in entry.before:
                entry.before[address] = change(entry.before[address])

    def ever_missing(self, address: Pubkey) -> bool:
        """Whether the account does not exist, or did not at a height that a fork could return to."""
        before = (entry.before[address] for entry in self._journal if address in entry.before)
        return self.get(address) is None or any(state is None for state in before)

    def _index(self, address: Pubkey, state: State) -> None:
        holding = read_holding(state.owner, state.data) if state is not None else None
        if holding is not None:
            self._token_accounts.setdefault(holding.owner, {})[address] = None
