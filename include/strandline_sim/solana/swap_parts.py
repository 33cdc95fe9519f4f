"""The instructions of a swap, as Jupiter composes them, and the transaction that they make."""

import math
from typing import Final, NamedTuple

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from strandline_sim.solana.pools import Pools
from strandline_sim.solana.route import Terms, route_instruction
from strandline_sim.solana.token_accounts import (
    ATA_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    WRAPPED_SOL,
    associated_address,
)
from strandline_sim.solana.tokens import Token

UNIT_LIMIT: Final = 1_400_000
TIP_ACCOUNT: Final = Pubkey.from_string("96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5")
_CREATE_IDEMPOTENT, _SYNC_NATIVE, _CLOSE_ACCOUNT = b"\1", b"\x11", b"\x09"


class Wish(NamedTuple):
    """A swap as the client wants it built."""

    taker: Pubkey
    payer: Pubkey
    mint_in: Pubkey
    mint_out: Pubkey
    terms: Terms
    hops: int
    wrap: bool = True
    destination: Pubkey | None = None
    unit_limit: int = UNIT_LIMIT
    unit_price: int = 0
    tip: int = 0

    @property
    def priority_fee(self) -> int:
        """In lamports."""
        return math.ceil(self.unit_limit * self.unit_price / 1_000_000)


class Parts(NamedTuple):
    """The instructions, in the groups of `swap-instructions`."""

    budget: list[Instruction]
    setup: list[Instruction]
    swap: Instruction
    cleanup: Instruction | None
    tip: Instruction | None

    def all(self) -> list[Instruction]:
        """In the order of execution."""
        last = [part for part in (self.cleanup, self.tip) if part is not None]
        return [*self.budget, *self.setup, self.swap, *last]


def parts_of(wish: Wish, pools: Pools) -> Parts:
    """Compose it; the only signers are the taker and the payer."""
    token_in, token_out = pools.token(wish.mint_in), pools.token(wish.mint_out)
    source = _account(wish.taker, token_in)
    own = _account(wish.taker, token_out)
    destination = wish.destination or own
    setup, cleanup = [], None
    if wish.wrap and wish.mint_in == WRAPPED_SOL:
        lamports = TransferParams(from_pubkey=wish.taker, to_pubkey=source, lamports=wish.terms.amount_in)
        setup = [_create(wish, token_in), transfer(lamports), _sync(source)]
        cleanup = _close(source, wish.taker)
    if wish.destination is None:
        setup.append(_create(wish, token_out))
        if wish.wrap and wish.mint_out == WRAPPED_SOL:
            cleanup = _close(own, wish.taker)
    vaults = [_account(pools.address, token_in), _account(pools.address, token_out)]
    programs = [token_in.program, token_out.program]
    accounts = [wish.taker, source, destination, *vaults, wish.mint_in, wish.mint_out, *programs, pools.address]
    tip = TransferParams(from_pubkey=wish.payer, to_pubkey=TIP_ACCOUNT, lamports=wish.tip)
    return Parts(
        [set_compute_unit_limit(wish.unit_limit), set_compute_unit_price(wish.unit_price)],
        setup,
        route_instruction(accounts, wish.terms, wish.hops),
        cleanup,
        transfer(tip) if wish.tip else None,
    )


def unsigned(wish: Wish, parts: Parts, blockhash: Hash) -> VersionedTransaction:
    """The transaction with room for the signatures."""
    message = MessageV0.try_compile(wish.payer, parts.all(), [], blockhash)
    return VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)


def _account(owner: Pubkey, token: Token) -> Pubkey:
    return associated_address(owner, token.mint, token.program)


def _create(wish: Wish, token: Token) -> Instruction:
    metas = [
        AccountMeta(wish.payer, is_signer=True, is_writable=True),
        AccountMeta(_account(wish.taker, token), is_signer=False, is_writable=True),
        *(AccountMeta(key, False, False) for key in (wish.taker, token.mint, SYSTEM_PROGRAM, token.program)),
    ]
    return Instruction(ATA_PROGRAM, _CREATE_IDEMPOTENT, metas)


def _sync(account: Pubkey) -> Instruction:
    return Instruction(TOKEN_PROGRAM, _SYNC_NATIVE, [AccountMeta(account, is_signer=False, is_writable=True)])


def _close(account: Pubkey, owner: Pubkey) -> Instruction:
    metas = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(TOKEN_PROGRAM, _CLOSE_ACCOUNT, metas)
