"""The tokens of the simulated chain and their pools."""

from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from solders.pubkey import Pubkey

from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, WRAPPED_SOL, TransferFee


class Prices(Protocol):
    """Market prices."""

    def price(self, symbol: str, at: int, /) -> float | Decimal:
        """Return the price in US dollars at this millisecond; raise KeyError for an unknown symbol."""


class Token(NamedTuple):
    """A mint and its pool against USDC.

    `market` is the symbol whose price it follows, None for one dollar; `liquidity_usd` is on each side of the pool.
    """

    symbol: str
    name: str
    mint: Pubkey
    decimals: int
    market: str | None
    liquidity_usd: int = 5_000_000
    pool_fee_bps: int = 4
    program: Pubkey = TOKEN_PROGRAM
    transfer_fee: TransferFee | None = None
    tags: tuple[str, ...] = ("verified",)


USDC: Final = Token(
    "USDC", "USD Coin", Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"), 6, None, 50_000_000, 0
)
SOL: Final = Token("SOL", "Wrapped SOL", WRAPPED_SOL, 9, "SOL", 20_000_000, 2)
DEFAULT_TOKENS: Final = (
    SOL,
    USDC,
    Token("USDT", "USDT", Pubkey.from_string("Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"), 6, None, 20_000_000, 1),
    Token("JUP", "Jupiter", Pubkey.from_string("JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"), 6, "JUP", 3_000_000, 10),
    Token("BONK", "Bonk", Pubkey.from_string("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"), 5, "BONK", 2_000_000, 25),
    Token(
        "WIF", "dogwifhat", Pubkey.from_string("EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm"), 6, "WIF", 1_500_000, 25
    ),
    Token(
        *("PYUSD", "PayPal USD", Pubkey.from_string("2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"), 6, None),
        *(5_000_000, 1, TOKEN_2022_PROGRAM),
    ),
)
