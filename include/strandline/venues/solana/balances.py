"""Reads the wallet's balances that a swap needs, as of one block."""

from typing import Final, NamedTuple

from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount

from strandline.model.plan import SkipExecution
from strandline.venues.solana.addresses import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, USDC, token_account
from strandline.venues.solana.node import Account, Node
from strandline.venues.solana.units import USDC_DECIMALS

_PROGRAMS: Final = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
_MINT_SIZE: Final = 82
_TOKEN_ACCOUNT_SIZE: Final = 165
"""The part that both token programs share; extensions follow it."""


class TokenHolding(NamedTuple):
    """The wallet's account of a token, and its raw amount: 0 if the account does not exist yet."""

    mint: str
    decimals: int
    account: str
    amount: int


class Balances(NamedTuple):
    """The wallet's SOL, its USDC and the token to trade."""

    lamports: int
    usdc: TokenHolding
    token: TokenHolding


async def read_balances(node: Node, wallet: str, mint: str) -> Balances:
    """Read them from the node; raise `SkipExecution` if the mint is not a token's."""
    usdc_account = token_account(wallet, USDC)
    candidates = [token_account(wallet, mint, program) for program in _PROGRAMS]
    own, mint_account, usdc, *tokens = await node.accounts([wallet, mint, usdc_account, *candidates])
    if mint_account is None or (program := Pubkey.from_string(mint_account.owner)) not in _PROGRAMS:
        raise SkipExecution("not_tradable", f"{mint} is not a token")
    decimals = Mint.from_bytes(mint_account.content[:_MINT_SIZE]).decimals
    index = _PROGRAMS.index(program)
    return Balances(
        lamports=0 if own is None else own.lamports,
        usdc=TokenHolding(USDC, USDC_DECIMALS, usdc_account, tokens_in(usdc)),
        token=TokenHolding(mint, decimals, candidates[index], tokens_in(tokens[index])),
    )


def tokens_in(account: Account | None) -> int:
    """The raw amount that a token account holds."""
    return 0 if account is None else TokenAccount.from_bytes(account.content[:_TOKEN_ACCOUNT_SIZE]).amount
