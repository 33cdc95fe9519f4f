"""`/order`: a quote with a transaction, remembered until the client has had it executed."""

import hashlib
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiohttp import web
from solders.pubkey import Pubkey

from strandline_sim.solana.blocks import VALID_BLOCKS
from strandline_sim.solana.jupiter_quote import DEFAULT_SLIPPAGE_BPS, quote_json
from strandline_sim.solana.jupiter_request import (
    Jupiter,
    RefusedError,
    encoded,
    key,
    optional_key,
    refuse_what_is_not_simulated,
    whole,
)
from strandline_sim.solana.pools import Price
from strandline_sim.solana.route import Terms
from strandline_sim.solana.swap_parts import UNIT_LIMIT, Wish, parts_of, unsigned
from strandline_sim.solana.token_accounts import WRAPPED_SOL, associated_address
from strandline_sim.solana.transactions import LAMPORTS_PER_SIGNATURE

_REMEMBERED_MS: Final = 120_000
_UNIT_PRICE: Final = 20_000
_NOT_SIMULATED: Final = ("referralAccount", "referralFee", "receiver", "payer", "excludeDexes")
_ORDER_TEXTS: Final = {1: "Insufficient funds", 2: "Top up SOL for gas"}


class Order(NamedTuple):
    """What was given out."""

    at: int
    message: bytes
    wish: Wish
    last_valid: int


class Ordering:
    """The handler, and the orders of the last two minutes."""

    def __init__(self, jupiter: Jupiter, seed: int) -> None:
        self._jupiter = jupiter
        self._seed = seed
        self._given = 0
        self._orders: dict[str, Order] = {}

    async def order(self, request: web.Request) -> dict[str, Any]:
        """A quote, with a transaction if a taker is named."""
        query = request.query
        refuse_what_is_not_simulated(query, _NOT_SIMULATED)
        if query.get("swapMode", "ExactIn") != "ExactIn":
            raise RefusedError({"error": "only swapMode ExactIn is supported"})
        mint_in, mint_out, taker = key(query, "inputMint"), key(query, "outputMint"), optional_key(query, "taker")
        amount = whole(query, "amount", None, least=1)
        slippage = whole(query, "slippageBps", DEFAULT_SLIPPAGE_BPS, most=10_000)
        price = self._jupiter.pools.price(mint_in, mint_out, amount, self._jupiter.instant("order"))
        limit_price = whole(query, "priorityFeeLamports", 0) * 1_000_000 // UNIT_LIMIT or _UNIT_PRICE
        quote = quote_json(query["inputMint"], query["outputMint"], price, slippage, self._jupiter.slot())
        wish = None
        if taker is not None:
            terms = Terms(amount, price.arrives, slippage)
            tip = whole(query, "jitoTipLamports", 0)
            wish = Wish(taker, taker, mint_in, mint_out, terms, len(price.hops), unit_price=limit_price, tip=tip)
        return {**quote, **_prices(price), **self._built(wish)}

    def given(self, identity: str) -> Order | None:
        """The order, if it is not older than two minutes."""
        order = self._orders.get(identity)
        return order if order is not None and self._jupiter.clock.now() - order.at <= _REMEMBERED_MS else None

    def _built(self, wish: Wish | None) -> dict[str, Any]:
        """What an order has beyond its quote."""
        self._given += 1
        identity = str(UUID(bytes=hashlib.sha256(f"order {self._seed} {self._given}".encode()).digest()[:16]))
        built: dict[str, Any] = {
            "mode": "ultra",
            "feeMint": None,
            "feeBps": 0,
            "signatureFeeLamports": LAMPORTS_PER_SIGNATURE,
            "rentFeeLamports": 0,
            "swapType": "aggregator",
            "router": "metis",
            "gasless": False,
            "requestId": identity,
            "totalTime": 1,
            "transaction": None,
        }
        if wish is None:
            return {**built, "taker": None, "prioritizationFeeLamports": 0}
        payer = str(wish.payer)
        fees = dict.fromkeys(("taker", "signatureFeePayer", "prioritizationFeePayer", "rentFeePayer"), payer)
        rent = self._rent(wish)
        built |= {**fees, "prioritizationFeeLamports": wish.priority_fee, "rentFeeLamports": rent}
        code = self._obstacle(wish, rent)
        if code is not None:
            text = _ORDER_TEXTS[code]
            return {**built, "transaction": "", "errorCode": code, "errorMessage": text, "error": text}
        height = self._jupiter.confirmed()
        blockhash = self._jupiter.chain.blocks.hash_of(height)
        transaction = unsigned(wish, parts_of(wish, self._jupiter.pools), blockhash)
        last_valid = height + VALID_BLOCKS
        now = self._jupiter.clock.now()
        self._orders = {key: order for key, order in self._orders.items() if now - order.at <= _REMEMBERED_MS}
        self._orders[identity] = Order(now, bytes(transaction.message), wish, last_valid)
        return {**built, "transaction": encoded(bytes(transaction)), "lastValidBlockHeight": str(last_valid)}

    def _rent(self, wish: Wish) -> int:
        """For token accounts that are still to be made."""
        accounts, rent = self._jupiter.chain.accounts, 0
        for mint in (wish.mint_in, wish.mint_out):
            token = self._jupiter.pools.tokens[mint]
            address = associated_address(wish.taker, mint, token.program)
            if accounts.get(address) is None and (mint == wish.mint_out or mint == WRAPPED_SOL):
                vault = accounts.get(associated_address(self._jupiter.pools.address, mint, token.program))
                rent += self._jupiter.chain.machine.rent(len(vault.data)) if vault is not None else 0
        return rent

    def _obstacle(self, wish: Wish, rent: int) -> int | None:
        """Why the taker cannot pay: 1, too little of the token; 2, too little SOL."""
        height = self._jupiter.confirmed()
        lamports = self._lamports(wish.taker, height)
        gas = LAMPORTS_PER_SIGNATURE + wish.priority_fee + wish.tip + rent
        if wish.mint_in == WRAPPED_SOL:
            return None if lamports >= wish.terms.amount_in + gas else (1 if lamports < wish.terms.amount_in else 2)
        held = sum(
            holding.amount
            for _, _, holding in self._jupiter.chain.accounts.of_owner(wish.taker, height)
            if holding.mint == wish.mint_in
        )
        if held < wish.terms.amount_in:
            return 1
        return None if lamports >= gas else 2

    def _lamports(self, address: Pubkey, height: int) -> int:
        account = self._jupiter.chain.accounts.at(address, height)
        return account.lamports if account is not None else 0


def _prices(price: Price) -> dict[str, Any]:
    percent = -float(round(price.impact * 100, 9))
    return {
        "inUsdValue": float(price.usd_in),
        "outUsdValue": float(price.usd_out),
        "swapUsdValue": float(price.usd_in),
        "priceImpact": percent,
        "priceImpactPct": f"{-price.impact:.12f}",
    }
