"""Swap V2's `/quote` and `/swap`."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from solders.hash import Hash

from strandline_sim.solana.blocks import VALID_BLOCKS
from strandline_sim.solana.jupiter_request import (
    Jupiter,
    RefusedError,
    body_of,
    encoded,
    key,
    optional_key,
    refuse_what_is_not_simulated,
    whole,
)
from strandline_sim.solana.pools import Hop, Price
from strandline_sim.solana.route import Terms
from strandline_sim.solana.swap_transaction import SwapRequest, swap_instructions, unsigned_transaction

_DEFAULT_SLIPPAGE_BPS: Final = 50
_LEAST_TIP: Final = 1_000_000
_UNIT_PRICES: Final = {"medium": 5_000, "high": 20_000, "veryHigh": 100_000}
_QUOTE_NOT_SIMULATED: Final = ("platformFeeBps", "dexes", "asLegacyTransaction", "forJitoBundle")
_SWAP_NOT_SIMULATED: Final = ("feeAccount", "nativeDestinationAccount", "asLegacyTransaction", "dynamicSlippage")


class SwapHandlers:
    """Answers `/quote` and `/swap`."""

    def __init__(self, jupiter: Jupiter) -> None:
        self._jupiter = jupiter

    async def quote(self, request: web.Request) -> dict[str, Any]:
        """Quote what the market pays now."""
        query = request.query
        refuse_what_is_not_simulated(query, _QUOTE_NOT_SIMULATED)
        if query.get("swapMode", "ExactIn") != "ExactIn":
            raise RefusedError({"error": "only swapMode ExactIn is simulated", "errorCode": "NOT_SUPPORTED"})
        amount = whole(query, "amount", None, least=1)
        slippage = whole(query, "slippageBps", _DEFAULT_SLIPPAGE_BPS, most=10_000)
        instant = self._jupiter.instant("quote")
        price = self._jupiter.pools.price(key(query, "inputMint"), key(query, "outputMint"), amount, instant)
        return _quote_json(query["inputMint"], query["outputMint"], price, slippage, self._jupiter.slot())

    async def swap(self, request: web.Request) -> dict[str, Any]:
        """Build the transaction of a quote."""
        body = await body_of(request)
        requested = _swap_request(body)
        return {**self._transaction(requested, body), "computeUnitPrice": str(requested.unit_price)}

    def _transaction(self, requested: SwapRequest, body: Mapping[str, Any]) -> dict[str, Any]:
        blockhash, last_valid = self._blockhash(body)
        transaction = unsigned_transaction(requested, swap_instructions(requested, self._jupiter.pools), blockhash)
        return {
            "swapTransaction": encoded(bytes(transaction)),
            "lastValidBlockHeight": last_valid,
            "prioritizationFeeLamports": requested.priority_fee,
        }

    def _blockhash(self, body: Mapping[str, Any]) -> tuple[Hash, int]:
        """A shorter validity takes an older blockhash; longer than the chain allows is not possible."""
        validity = min(whole(body, "blockhashSlotsToExpiry", VALID_BLOCKS, 1, 300), VALID_BLOCKS)
        height = self._jupiter.confirmed() - (VALID_BLOCKS - validity)
        return self._jupiter.chain.blocks.hash_of(height), height + VALID_BLOCKS


def _quote_json(mint_in: str, mint_out: str, price: Price, slippage: int, slot: int) -> dict[str, Any]:
    """As Jupiter writes a quote."""
    terms = Terms(price.amount_in, price.arrives, slippage)
    return {
        "inputMint": mint_in,
        "inAmount": str(price.amount_in),
        "outputMint": mint_out,
        "outAmount": str(price.arrives),
        "otherAmountThreshold": str(terms.least_out),
        "swapMode": "ExactIn",
        "slippageBps": slippage,
        "platformFee": None,
        "priceImpactPct": f"{price.impact:.12f}",
        "routePlan": [_hop(hop) for hop in price.hops],
        "contextSlot": slot,
        "timeTaken": 0.001,
    }


def _hop(hop: Hop) -> dict[str, Any]:
    info = {
        "ammKey": str(hop.pool),
        "label": hop.label,
        "inputMint": str(hop.mint_in),
        "outputMint": str(hop.mint_out),
        "inAmount": str(hop.amount_in),
        "outAmount": str(hop.amount_out),
        "feeAmount": str(hop.fee),
        "feeMint": str(hop.mint_in),
    }
    return {"swapInfo": info, "percent": 100, "bps": 10_000}


def _swap_request(body: Mapping[str, Any]) -> SwapRequest:
    refuse_what_is_not_simulated(body, _SWAP_NOT_SIMULATED)
    quote = body.get("quoteResponse")
    if not isinstance(quote, dict):
        raise RefusedError({"error": "Failed to deserialize the JSON body: missing field `quoteResponse`"}, 422)
    taker, plan = key(body, "taker"), quote.get("routePlan")
    terms = Terms(
        whole(quote, "inAmount", None, least=1),
        whole(quote, "outAmount", None, least=1),
        whole(quote, "slippageBps", None, most=10_000),
    )
    return SwapRequest(
        taker=taker,
        payer=optional_key(body, "payer") or taker,
        mint_in=key(quote, "inputMint"),
        mint_out=key(quote, "outputMint"),
        terms=terms,
        hops=len(plan) if isinstance(plan, list) and len(plan) in {1, 2} else 1,
        wrap=body.get("wrapAndUnwrapSol") is not False,
        destination=optional_key(body, "destinationTokenAccount"),
        unit_price=_unit_price(body),
        tip=_tip(body),
    )


def _tip(body: Mapping[str, Any]) -> int:
    return whole(body, "tipAmount", 0, least=_LEAST_TIP) if body.get("tipAmount") is not None else 0


def _unit_price(body: Mapping[str, Any]) -> int:
    wanted = body.get("computeUnitPricePercentile") or "medium"
    if isinstance(wanted, int):
        return _UNIT_PRICES["veryHigh"] * min(wanted, 10_000) // 10_000
    if wanted not in _UNIT_PRICES:
        raise RefusedError({"error": f"unknown computeUnitPricePercentile {wanted!r}"})
    return _UNIT_PRICES[wanted]
