"""Well-known addresses of Solana."""

from typing import Final

from solders.pubkey import Pubkey

USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

COMPUTE_BUDGET_PROGRAM: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
JUPITER_PROGRAM: Final = Pubkey.from_string("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")
TOKEN_PROGRAM: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_ACCOUNT_PROGRAM: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")

MAINNET: Final = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
"""The hash of the first block, which identifies the cluster."""


def token_account(owner: str, mint: str, token_program: Pubkey = TOKEN_PROGRAM) -> str:
    """The address of a wallet's account of a token."""
    seeds = [bytes(Pubkey.from_string(owner)), bytes(token_program), bytes(Pubkey.from_string(mint))]
    return str(Pubkey.find_program_address(seeds, TOKEN_ACCOUNT_PROGRAM)[0])
