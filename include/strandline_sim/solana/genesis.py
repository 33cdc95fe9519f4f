"""Creates the first state of the chain (program, mints, vaults, faucet), and deposits from outside."""

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from strandline_sim.solana.accounts import Accounts, State
from strandline_sim.solana.machine import Machine
from strandline_sim.solana.pools import Pools
from strandline_sim.solana.swap_program import PROGRAM_ID, swap_program
from strandline_sim.solana.token_accounts import (
    SYSTEM_PROGRAM,
    WRAPPED_SOL,
    add_amount,
    add_supply,
    associated_address,
    mint_data,
    token_account_data,
)
from strandline_sim.solana.tokens import Token

_VAULT_AMOUNT: Final = 10**18
_FAUCET_LAMPORTS: Final = 10**17


class Deposit(NamedTuple):
    """What was deposited, for the tape."""

    lamports: dict[str, str]
    tokens: list[dict[str, str]]


class Genesis:
    """Creates the first state, and makes deposits."""

    def __init__(self, machine: Machine, accounts: Accounts, seed: int) -> None:
        self.faucet = Keypair.from_seed(hashlib.sha256(f"faucet {seed}".encode()).digest())
        self._machine = machine
        self._accounts = accounts

    def create(self, tokens: Iterable[Token], pools: Pools) -> Deposit:
        """Create program, mints, vaults and faucet; return what faucet and vaults begin with."""
        self._machine.svm.add_program(PROGRAM_ID, swap_program())
        self._accounts.put(pools.address, pools.account())
        deposits = [self.deposit_lamports(self.faucet.pubkey(), _FAUCET_LAMPORTS)]
        for token in tokens:
            authority = None if token.mint == WRAPPED_SOL else self.faucet.pubkey()
            data = mint_data(authority, 0, token.decimals, token.transfer_fee)
            rent = self._machine.rent(len(data))
            self._accounts.put(token.mint, Account(rent, data, token.program, executable=False, rent_epoch=0))
            deposits.append(self.deposit_tokens(pools.address, token, _VAULT_AMOUNT))
        return merged(deposits)

    def deposit_lamports(self, address: Pubkey, lamports: int) -> Deposit:
        """Add SOL to an account."""
        self._accounts.adjust(address, partial(_with_lamports, lamports))
        return Deposit({str(address): str(lamports)}, [])

    def deposit_tokens(self, owner: Pubkey, token: Token, amount: int) -> Deposit:
        """Issue an amount of a token to a wallet, and create its token account if needed."""
        address = associated_address(owner, token.mint, token.program)
        native = token.mint == WRAPPED_SOL
        data = token_account_data(token.mint, owner, token.program, fee=token.transfer_fee is not None)
        rent = self._machine.rent(len(data))
        if native:
            data = token_account_data(token.mint, owner, token.program, native_rent=rent)
        empty = Account(0, data, token.program, executable=False, rent_epoch=0)
        lamports = (rent if self._accounts.ever_missing(address) else 0) + (amount if native else 0)
        self._accounts.adjust(address, partial(_with_tokens, empty, lamports, amount))
        if not native:
            self._accounts.adjust(token.mint, partial(_with_supply, amount))
        given = {"account": str(address), "owner": str(owner), "mint": str(token.mint), "amount": str(amount)}
        return Deposit({str(address): str(lamports)} if lamports else {}, [{**given, "withheld": "0"}])


def merged(deposits: Iterable[Deposit]) -> Deposit:
    """Add deposits up."""
    total = Deposit({}, [])
    for deposit in deposits:
        for address, lamports in deposit.lamports.items():
            total.lamports[address] = str(int(total.lamports.get(address, "0")) + int(lamports))
        total.tokens.extend(deposit.tokens)
    return total


def _with_lamports(lamports: int, state: State) -> Account:
    if state is None:
        return Account(lamports, b"", SYSTEM_PROGRAM, executable=False, rent_epoch=0)
    return _updated(state, state.lamports + lamports, state.data)


def _with_tokens(empty: Account, lamports: int, amount: int, state: State) -> Account:
    base = empty if state is None else state
    return _updated(base, base.lamports + lamports, add_amount(base.data, amount))


def _with_supply(amount: int, state: State) -> Account:
    if state is None:
        raise ValueError("a mint that does not exist cannot issue")
    return _updated(state, state.lamports, add_supply(state.data, amount))


def _updated(state: Account, lamports: int, data: bytes) -> Account:
    return Account(lamports, data, state.owner, executable=state.executable, rent_epoch=state.rent_epoch)
