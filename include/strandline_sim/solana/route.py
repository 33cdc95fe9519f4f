"""Encodes and decodes the `route` instruction in Jupiter's layout: plan, amounts, slippage, platform fee."""

import struct
from typing import Final, NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from strandline_sim.solana.swap_program import (
    ACCOUNTS,
    DESTINATION,
    MINT_IN,
    MINT_OUT,
    POOL,
    PROGRAM_ID,
    ROUTE,
    SOURCE,
    TAIL_SIZE,
    USER,
    VAULT_IN,
    VAULT_OUT,
)

_WRITABLE: Final = frozenset({SOURCE, DESTINATION, VAULT_IN, VAULT_OUT, POOL})
_HOP: Final = struct.Struct("<BBBB")
_HOP_KIND: Final = 7
_TAIL: Final = struct.Struct("<QQHB")


class Terms(NamedTuple):
    """The terms that a user signs: the amount in, for at least the quoted amount less slippage."""

    amount_in: int
    quoted_out: int
    slippage_bps: int

    @property
    def least_out(self) -> int:
        """The least amount out, rounded as the program does."""
        return self.quoted_out * (10_000 - self.slippage_bps) // 10_000


class RouteCall(NamedTuple):
    """A route instruction found in a transaction."""

    terms: Terms
    mint_in: Pubkey
    mint_out: Pubkey


def route_instruction(accounts: list[Pubkey], terms: Terms, hops: int) -> Instruction:
    """Encode a route; the accounts are in the program's order."""
    plan = struct.pack("<I", hops) + b"".join(_HOP.pack(_HOP_KIND, 100, hop, hop + 1) for hop in range(hops))
    data = ROUTE + plan + _TAIL.pack(*terms, 0)
    metas = [AccountMeta(key, place == USER, place in _WRITABLE) for place, key in enumerate(accounts)]
    return Instruction(PROGRAM_ID, data, metas)


def read_route(program: Pubkey, accounts: list[Pubkey], data: bytes) -> RouteCall | None:
    """Decode a route; None for any other instruction."""
    if program != PROGRAM_ID or len(accounts) != ACCOUNTS:
        return None
    if len(data) < len(ROUTE) + TAIL_SIZE or not data.startswith(ROUTE):
        return None
    amount_in, quoted_out, slippage_bps, _ = _TAIL.unpack(data[-TAIL_SIZE:])
    return RouteCall(Terms(amount_in, quoted_out, slippage_bps), accounts[MINT_IN], accounts[MINT_OUT])
