"""A landed transaction and its effects."""

from typing import Any, NamedTuple

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from strandline_sim.solana.accounts import Accounts, State
from strandline_sim.solana.machine import Error
from strandline_sim.solana.token_accounts import Holding, read_holding, read_mint
from strandline_sim.solana.transactions import Loaded


class Balance(NamedTuple):
    """The balance of one account of a transaction, before or after it."""

    lamports: int
    holding: Holding | None
    decimals: int
    program: Pubkey | None


class Landed(NamedTuple):
    """A transaction in a block; `error` is None if it succeeded."""

    signature: str
    transaction: VersionedTransaction
    height: int
    keys: list[Pubkey]
    loaded: Loaded
    error: Error | None
    fee: int
    before: list[Balance]
    after: list[Balance]
    logs: list[str]
    inner: list[dict[str, Any]]
    units: int

    def lamport_deltas(self) -> dict[str, str]:
        """Return the change of lamports by account, rent and fee included."""
        changes = zip(self.keys, self.before, self.after, strict=True)
        return {
            str(key): str(after.lamports - before.lamports)
            for key, before, after in changes
            if after.lamports != before.lamports
        }

    def token_deltas(self) -> list[dict[str, str]]:
        """Return the changes of token accounts: amount, and withheld transfer fees."""
        deltas = []
        for key, before, after in zip(self.keys, self.before, self.after, strict=True):
            either = after.holding or before.holding
            amount = _amount(after) - _amount(before)
            withheld = _withheld(after) - _withheld(before)
            if either is not None and (amount or withheld):
                deltas.append(
                    {
                        "account": str(key),
                        "owner": str(either.owner),
                        "mint": str(either.mint),
                        "amount": str(amount),
                        "withheld": str(withheld),
                    }
                )
        return deltas


def balances(accounts: Accounts, keys: list[Pubkey]) -> list[Balance]:
    """Read the balances of all accounts of a transaction."""
    return [_balance(accounts, accounts.get(key)) for key in keys]


def _balance(accounts: Accounts, state: State) -> Balance:
    if state is None:
        return Balance(0, None, 0, None)
    holding = read_holding(state.owner, state.data)
    if holding is None:
        return Balance(state.lamports, None, 0, None)
    mint = accounts.get(holding.mint)
    facts = read_mint(mint.owner, mint.data) if mint is not None else None
    return Balance(state.lamports, holding, facts[1] if facts is not None else 0, state.owner)


def _amount(balance: Balance) -> int:
    return balance.holding.amount if balance.holding is not None else 0


def _withheld(balance: Balance) -> int:
    return balance.holding.withheld if balance.holding is not None else 0
