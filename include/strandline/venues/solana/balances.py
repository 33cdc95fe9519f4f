"""What the wallet has of what a swap needs, as of one block."""

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
"""What is the same in both programs; extensions follow."""


class Purse(NamedTuple):
    """One token: where the wallet keeps it, and how much, raw. An account that is not there yet holds nothing."""

    mint: str
    decimals: int
    account: str
    amount: int


class Funds(NamedTuple):
    """All of it."""

    lamports: int
    usdc: Purse
    token: Purse


async def read_funds(node: Node, wallet: str, mint: str) -> Funds:
    """Ask the node. Decimals are those of the mint itself; what is no mint is `not_tradable`."""
    usdc_account = token_account(wallet, USDC)
    candidates = [token_account(wallet, mint, program) for program in _PROGRAMS]
    own, told, usdc, *tokens = await node.accounts([wallet, mint, usdc_account, *candidates])
    if told is None or (program := Pubkey.from_string(told.owner)) not in _PROGRAMS:
        raise SkipExecution("not_tradable", f"{mint} is no token")
    decimals = Mint.from_bytes(told.content[:_MINT_SIZE]).decimals
    place = _PROGRAMS.index(program)
    return Funds(
        lamports=0 if own is None else own.lamports,
        usdc=Purse(USDC, USDC_DECIMALS, usdc_account, tokens_in(usdc)),
        token=Purse(mint, decimals, candidates[place], tokens_in(tokens[place])),
    )


def tokens_in(account: Account | None) -> int:
    """What a token account holds, raw."""
    return 0 if account is None else TokenAccount.from_bytes(account.content[:_TOKEN_ACCOUNT_SIZE]).amount
