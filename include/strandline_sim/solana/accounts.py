"""The accounts of the chain in LiteSVM, with a journal of what they were: for forks, and for reads at a commitment.

LiteSVM has no rollback, and knows only the newest state.
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
"""Twice what finality needs, so that a node that is behind has something to read."""

State = Account | None
_NOTHING: Final = Account(0, b"", SYSTEM_PROGRAM, executable=False, rent_epoch=0)


class Change(NamedTuple):
    """What accounts were before a transaction in the block of this height."""

    height: int
    before: dict[Pubkey, State]


class Accounts:
    """Reads and writes accounts now, and reads them as they were a few blocks ago."""

    def __init__(self, svm: LiteSVM) -> None:
        self._svm = svm
        self._journal: deque[Change] = deque()
        self._token_accounts: dict[Pubkey, dict[Pubkey, None]] = {}

    def get(self, address: Pubkey) -> State:
        """What it is now; an account without lamports does not exist."""
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def put(self, address: Pubkey, state: State) -> None:
        """Make it so, outside of any transaction."""
        self._svm.set_account(address, _NOTHING if state is None else state)
        self._index(address, state)

    def at(self, address: Pubkey, height: int) -> State:
        """What it was when the block of this height was the newest."""
        for change in self._journal:
            if change.height > height and address in change.before:
                return change.before[address]
        return self.get(address)

    def of_owner(self, owner: Pubkey, height: int) -> Iterator[tuple[Pubkey, Account, Holding]]:
        """The token accounts of a wallet."""
        for address in self._token_accounts.get(owner, ()):
            account = self.at(address, height)
            holding = read_holding(account.owner, account.data) if account is not None else None
            if account is not None and holding is not None and holding.owner == owner:
                yield address, account, holding

    @contextmanager
    def as_of(self, height: int, addresses: Iterable[Pubkey]) -> Iterator[None]:
        """For a simulation: these accounts are what they were, and then again what they are."""
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
        """A transaction has been executed; `before` is what its accounts were."""
        self._journal.append(Change(height, before))
        while self._journal[0].height < height - JOURNAL_BLOCKS:
            self._journal.popleft()
        for address in before:
            self._index(address, self.get(address))

    def undo(self, height: int) -> None:
        """Take back all that happened in the block of this height and after it."""
        while self._journal and self._journal[-1].height >= height:
            for address, state in self._journal.pop().before.items():
                self.put(address, state)

    def adjust(self, address: Pubkey, change: Callable[[State], Account]) -> None:
        """A gift from outside: it was always there, whatever commitment one reads at and whichever fork lives."""
        self.put(address, change(self.get(address)))
        for entry in self._journal:
            if address in entry.before:
                entry.before[address] = change(entry.before[address])

    def ever_missing(self, address: Pubkey) -> bool:
        """Whether it does not exist now, or did not at a time that a fork could lead back to."""
        before = (entry.before[address] for entry in self._journal if address in entry.before)
        return self.get(address) is None or any(state is None for state in before)

    def _index(self, address: Pubkey, state: State) -> None:
        holding = read_holding(state.owner, state.data) if state is not None else None
        if holding is not None:
            self._token_accounts.setdefault(holding.owner, {})[address] = None
