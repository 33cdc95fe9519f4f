"""Builds the instructions of a swap as Jupiter does, and their transaction."""

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
_TIP_ACCOUNT: Final = Pubkey.from_string("96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5")
_CREATE_IDEMPOTENT, _SYNC_NATIVE, _CLOSE_ACCOUNT = b"\1", b"\x11", b"\x09"


class SwapRequest(NamedTuple):
    """A client's swap request."""

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
        """The priority fee in lamports."""
        return math.ceil(self.unit_limit * self.unit_price / 1_000_000)


class SwapInstructions(NamedTuple):
    """The instructions of a swap, in groups."""

    budget: list[Instruction]
    setup: list[Instruction]
    swap: Instruction
    cleanup: Instruction | None
    tip: Instruction | None

    def all(self) -> list[Instruction]:
        """Return all instructions in the order of execution."""
        last = [part for part in (self.cleanup, self.tip) if part is not None]
        return [*self.budget, *self.setup, self.swap, *last]


def swap_instructions(request: SwapRequest, pools: Pools) -> SwapInstructions:
    """Build the instructions; only the taker and the payer have to sign."""
    token_in, token_out = pools.token(request.mint_in), pools.token(request.mint_out)
    source = _account(request.taker, token_in)
    own = _account(request.taker, token_out)
    destination = request.destination or own
    setup, cleanup = [], None
    if request.wrap and request.mint_in == WRAPPED_SOL:
        lamports = TransferParams(from_pubkey=request.taker, to_pubkey=source, lamports=request.terms.amount_in)
        setup = [_create(request, token_in), transfer(lamports), _sync(source)]
        cleanup = _close(source, request.taker)
    if request.destination is None:
        setup.append(_create(request, token_out))
        if request.wrap and request.mint_out == WRAPPED_SOL:
            cleanup = _close(own, request.taker)
    accounts = [
        *(request.taker, source, destination),
        *(_account(pools.address, token_in), _account(pools.address, token_out)),
        *(request.mint_in, request.mint_out, token_in.program, token_out.program, pools.address),
    ]
    tip = TransferParams(from_pubkey=request.payer, to_pubkey=_TIP_ACCOUNT, lamports=request.tip)
    return SwapInstructions(
        [set_compute_unit_limit(request.unit_limit), set_compute_unit_price(request.unit_price)],
        setup,
        route_instruction(accounts, request.terms, request.hops),
        cleanup,
        transfer(tip) if request.tip else None,
    )


def unsigned_transaction(request: SwapRequest, instructions: SwapInstructions, blockhash: Hash) -> VersionedTransaction:
    """Build the transaction, with empty signatures."""
    message = MessageV0.try_compile(request.payer, instructions.all(), [], blockhash)
    return VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)


def _account(owner: Pubkey, token: Token) -> Pubkey:
    return associated_address(owner, token.mint, token.program)


def _create(request: SwapRequest, token: Token) -> Instruction:
    metas = [
        AccountMeta(request.payer, is_signer=True, is_writable=True),
        AccountMeta(_account(request.taker, token), is_signer=False, is_writable=True),
        *(AccountMeta(key, False, False) for key in (request.taker, token.mint, SYSTEM_PROGRAM, token.program)),
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
