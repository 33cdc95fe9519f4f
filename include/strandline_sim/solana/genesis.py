"""How the chain begins: the program, the mints, the vaults, a faucet. And gifts, which come from outside of it."""

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
    associated_address,
    mint_data,
    token_account_data,
    with_more,
    with_more_supply,
)
from strandline_sim.solana.tokens import Token

_VAULT_AMOUNT: Final = 10**18
_FAUCET_LAMPORTS: Final = 10**17


class Gift(NamedTuple):
    """What was given, for the tape."""

    lamports: dict[str, str]
    tokens: list[dict[str, str]]


class Genesis:
    """Makes the first state of a chain."""

    def __init__(self, machine: Machine, accounts: Accounts, seed: int) -> None:
        self.faucet = Keypair.from_seed(hashlib.sha256(f"faucet {seed}".encode()).digest())
        self._machine = machine
        self._accounts = accounts

    def found(self, tokens: Iterable[Token], pools: Pools) -> Gift:
        """Put everything in place; the gift is what the faucet and the vaults begin with."""
        self._machine.svm.add_program(PROGRAM_ID, swap_program())
        self._accounts.put(pools.address, pools.account())
        gifts = [self.give_lamports(self.faucet.pubkey(), _FAUCET_LAMPORTS)]
        for token in tokens:
            authority = None if token.mint == WRAPPED_SOL else self.faucet.pubkey()
            data = mint_data(authority, 0, token.decimals, token.transfer_fee)
            rent = self._machine.rent(len(data))
            self._accounts.put(token.mint, Account(rent, data, token.program, executable=False, rent_epoch=0))
            gifts.append(self.give_tokens(pools.address, token, _VAULT_AMOUNT))
        return merged(gifts)

    def give_lamports(self, address: Pubkey, lamports: int) -> Gift:
        """More SOL, from nowhere."""
        self._accounts.adjust(address, partial(_richer, lamports))
        return Gift({str(address): str(lamports)}, [])

    def give_tokens(self, owner: Pubkey, token: Token, amount: int) -> Gift:
        """More of a token, newly issued; its account is made if need be."""
        address = associated_address(owner, token.mint, token.program)
        native = token.mint == WRAPPED_SOL
        data = token_account_data(token.mint, owner, token.program, fee=token.transfer_fee is not None)
        rent = self._machine.rent(len(data))
        if native:
            data = token_account_data(token.mint, owner, token.program, native_rent=rent)
        empty = Account(0, data, token.program, executable=False, rent_epoch=0)
        lamports = (rent if self._accounts.ever_missing(address) else 0) + (amount if native else 0)
        self._accounts.adjust(address, partial(_fuller, empty, lamports, amount))
        if not native:
            self._accounts.adjust(token.mint, partial(_issued, amount))
        given = {"account": str(address), "owner": str(owner), "mint": str(token.mint), "amount": str(amount)}
        return Gift({str(address): str(lamports)} if lamports else {}, [{**given, "withheld": "0"}])


def merged(gifts: Iterable[Gift]) -> Gift:
    """All of them as one."""
    whole = Gift({}, [])
    for gift in gifts:
        for address, lamports in gift.lamports.items():
            whole.lamports[address] = str(int(whole.lamports.get(address, "0")) + int(lamports))
        whole.tokens.extend(gift.tokens)
    return whole


def _richer(lamports: int, state: State) -> Account:
    if state is None:
        return Account(lamports, b"", SYSTEM_PROGRAM, executable=False, rent_epoch=0)
    return _like(state, state.lamports + lamports, state.data)


def _fuller(empty: Account, lamports: int, amount: int, state: State) -> Account:
    base = empty if state is None else state
    return _like(base, base.lamports + lamports, with_more(base.data, amount))


def _issued(amount: int, state: State) -> Account:
    if state is None:
        raise ValueError("a mint that does not exist cannot issue")
    return _like(state, state.lamports, with_more_supply(state.data, amount))


def _like(state: Account, lamports: int, data: bytes) -> Account:
    return Account(lamports, data, state.owner, executable=state.executable, rent_epoch=state.rent_epoch)
