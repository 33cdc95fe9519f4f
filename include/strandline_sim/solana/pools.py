"""Prices swaps: each token has a constant-product pool against USDC around the market's price.

Arbitrage is assumed to be perfect: a swap has price impact, and the pool is back at the market's price for the next
one. Swaps between two tokens go through USDC.
"""

import hashlib
import struct
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from strandline_sim.solana.accounts import Accounts
from strandline_sim.solana.route import read_route
from strandline_sim.solana.swap_program import FILL_SIZE, POOL_CURSOR, POOL_FILLS, POOL_SEED, PROGRAM_ID, pool_address
from strandline_sim.solana.tokens import USDC, Prices, Token
from strandline_sim.solana.transactions import InstructionCall

_MAX_SWAPS: Final = 16
"""The maximum in one transaction."""


class NoRouteError(Exception):
    """There is no price for a swap; `code` is Jupiter's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Hop(NamedTuple):
    """One pool of a route."""

    pool: Pubkey
    label: str
    mint_in: Pubkey
    mint_out: Pubkey
    amount_in: int
    amount_out: int
    fee: int


class Price(NamedTuple):
    """The price of a swap: `pays` leaves the vault, `arrives` is that less the token's transfer fee."""

    amount_in: int
    pays: int
    arrives: int
    hops: list[Hop]
    impact: Decimal


class Pools:
    """The pools of all tokens."""

    def __init__(self, tokens: Iterable[Token], prices: Prices, accounts: Accounts, pool_lamports: int) -> None:
        self.tokens = {token.mint: token for token in tokens}
        self.tokens.setdefault(USDC.mint, USDC)
        self._prices = prices
        self._accounts = accounts
        self._lamports = pool_lamports
        self.address, self._bump = pool_address()

    def token(self, mint: Pubkey) -> Token:
        """Return the token of this mint."""
        if mint not in self.tokens:
            raise NoRouteError("TOKEN_NOT_TRADABLE", f"The token {mint} is not tradable")
        return self.tokens[mint]

    def usd(self, token: Token, instant: int) -> Decimal:
        """Return the price of one token in US dollars."""
        if token.market is None:
            return Decimal(1)
        try:
            price = self._prices.price(token.market, instant)
        except KeyError:
            raise NoRouteError("TOKEN_NOT_TRADABLE", f"The token {token.mint} is not tradable") from None
        return price if isinstance(price, Decimal) else Decimal(repr(price))

    def price(self, mint_in: Pubkey, mint_out: Pubkey, amount: int, instant: int) -> Price:
        """Price a swap at this instant."""
        token_in, token_out = self.token(mint_in), self.token(mint_out)
        if mint_in == mint_out:
            raise NoRouteError("CIRCULAR_ARBITRAGE_IS_DISABLED", "Circular arbitrage is disabled")
        received = amount - (token_in.transfer_fee.on(amount) if token_in.transfer_fee else 0)
        hops: list[Hop] = []
        kept = Decimal(1)
        left = received
        for token, selling in ((token_in, True), (token_out, False)):
            if token.mint != USDC.mint:
                hop, kept_here = self._hop(token, left, instant, selling=selling)
                hops.append(hop)
                left, kept = hop.amount_out, kept * kept_here
        arrives = left - (token_out.transfer_fee.on(left) if token_out.transfer_fee else 0)
        if arrives <= 0:
            raise NoRouteError("COULD_NOT_FIND_ANY_ROUTE", "Could not find any route")
        return Price(amount, left, arrives, hops, 1 - kept)

    def prepare(self, calls: list[InstructionCall], instant: int) -> list[dict[str, str]]:
        """Write the prices of these calls where the swap program reads them; return them for the tape."""
        routes = [route for call in calls if (route := read_route(call.program, call.accounts, call.data))]
        fills = b""
        for_tape = []
        for route in routes[:_MAX_SWAPS]:
            try:
                price = self.price(route.mint_in, route.mint_out, route.terms.amount_in, instant)
                pays, arrives = price.pays, price.arrives
            except NoRouteError:
                pays, arrives = 0, 0
            fills += struct.pack("<QQ", pays, arrives)
            for_tape.append(
                {
                    "input_mint": str(route.mint_in),
                    "output_mint": str(route.mint_out),
                    "amount_in": str(route.terms.amount_in),
                    "quoted_out": str(route.terms.quoted_out),
                    "least_out": str(route.terms.least_out),
                    "arrives": str(arrives),
                }
            )
        if routes:
            self._accounts.put(self.address, self.account(fills))
        return for_tape

    def account(self, fills: bytes = b"") -> Account:
        """Make the pool account with these fills."""
        head = (POOL_SEED + bytes([self._bump])).ljust(POOL_CURSOR, b"\0") + bytes(POOL_FILLS - POOL_CURSOR)
        data = head + fills.ljust(_MAX_SWAPS * FILL_SIZE, b"\0")
        return Account(self._lamports, data, PROGRAM_ID, executable=False, rent_epoch=0)

    def _hop(self, token: Token, amount: int, instant: int, *, selling: bool) -> tuple[Hop, Decimal]:
        """Price a swap between a token and USDC; return it with the fraction of value left by price impact."""
        tokens = int((Decimal(token.liquidity_usd) / self.usd(token, instant)).scaleb(token.decimals))
        dollars = token.liquidity_usd * 10**USDC.decimals
        into, out_of = (tokens, dollars) if selling else (dollars, tokens)
        fee = -(-amount * token.pool_fee_bps // 10_000)
        net = amount - fee
        got = out_of * net // (into + net) if net > 0 else 0
        mint_in, mint_out = (token.mint, USDC.mint) if selling else (USDC.mint, token.mint)
        hop = Hop(_pool_key(token), f"Strandline {token.symbol}", mint_in, mint_out, amount, got, fee)
        return hop, Decimal(into) / Decimal(into + max(net, 0))


def _pool_key(token: Token) -> Pubkey:
    return Pubkey.from_bytes(hashlib.sha256(f"pool {token.mint}".encode()).digest())
