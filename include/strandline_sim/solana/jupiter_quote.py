"""`/quote`, `/swap` and `/swap-instructions`, of Swap V2 and of V1."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from solders.hash import Hash
from solders.instruction import Instruction

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
from strandline_sim.solana.swap_parts import UNIT_LIMIT, Parts, Wish, parts_of, unsigned

DEFAULT_SLIPPAGE_BPS: Final = 50
_LEAST_TIP: Final = 1_000_000
_DYNAMIC_UNIT_LIMIT: Final = 200_000
_UNIT_PRICES: Final = {"medium": 5_000, "high": 20_000, "veryHigh": 100_000}
_QUOTE_NOT_SIMULATED: Final = ("platformFeeBps", "dexes", "asLegacyTransaction", "forJitoBundle")
_SWAP_NOT_SIMULATED: Final = ("feeAccount", "nativeDestinationAccount", "asLegacyTransaction", "dynamicSlippage")


class Quoting:
    """The handlers."""

    def __init__(self, jupiter: Jupiter) -> None:
        self._jupiter = jupiter

    async def quote(self, request: web.Request) -> dict[str, Any]:
        """What the market pays now."""
        query = request.query
        refuse_what_is_not_simulated(query, _QUOTE_NOT_SIMULATED)
        if query.get("swapMode", "ExactIn") != "ExactIn":
            raise RefusedError({"error": "only swapMode ExactIn is simulated", "errorCode": "NOT_SUPPORTED"})
        amount = whole(query, "amount", None, least=1)
        slippage = whole(query, "slippageBps", DEFAULT_SLIPPAGE_BPS, most=10_000)
        instant = self._jupiter.instant("quote")
        price = self._jupiter.pools.price(key(query, "inputMint"), key(query, "outputMint"), amount, instant)
        return quote_json(query["inputMint"], query["outputMint"], price, slippage, self._jupiter.slot())

    async def swap_v2(self, request: web.Request) -> dict[str, Any]:
        """The transaction of a quote."""
        body = await body_of(request)
        wish = _wish(body, "taker", _tip(body), UNIT_LIMIT, _unit_price_v2(body))
        return {**self._transaction(wish, body), "computeUnitPrice": str(wish.unit_price)}

    async def swap_v1(self, request: web.Request) -> dict[str, Any]:
        """The transaction of a quote, with V1's names."""
        body = await body_of(request)
        wish = _wish_v1(body)
        budget = {"microLamports": wish.unit_price, "estimatedMicroLamports": None}
        return {
            **self._transaction(wish, body),
            "computeUnitLimit": wish.unit_limit,
            "prioritizationType": {"computeBudget": budget},
            "dynamicSlippageReport": None,
            "simulationError": None,
        }

    async def instructions_v2(self, request: web.Request) -> dict[str, Any]:
        """The instructions of a quote, to be put into a transaction of one's own."""
        body = await body_of(request)
        wish = _wish(body, "taker", _tip(body), UNIT_LIMIT, _unit_price_v2(body))
        parts = parts_of(wish, self._jupiter.pools)
        blockhash, last_valid = self._blockhash(body)
        return {
            **_instructions(parts),
            "tipInstruction": _instruction(parts.tip),
            "addressesByLookupTableAddress": None,
            "blockhashWithMetadata": {"blockhash": list(bytes(blockhash)), "lastValidBlockHeight": last_valid},
        }

    async def instructions_v1(self, request: web.Request) -> dict[str, Any]:
        """The instructions of a quote, with V1's names."""
        body = await body_of(request)
        parts = parts_of(_wish_v1(body), self._jupiter.pools)
        return {**_instructions(parts), "tokenLedgerInstruction": None, "addressLookupTableAddresses": []}

    def _transaction(self, wish: Wish, body: Mapping[str, Any]) -> dict[str, Any]:
        blockhash, last_valid = self._blockhash(body)
        transaction = unsigned(wish, parts_of(wish, self._jupiter.pools), blockhash)
        return {
            "swapTransaction": encoded(bytes(transaction)),
            "lastValidBlockHeight": last_valid,
            "prioritizationFeeLamports": wish.priority_fee,
        }

    def _blockhash(self, body: Mapping[str, Any]) -> tuple[Hash, int]:
        """A shorter life is made of an older blockhash; a longer one than the chain allows is not to be had."""
        life = min(whole(body, "blockhashSlotsToExpiry", VALID_BLOCKS, 1, 300), VALID_BLOCKS)
        height = self._jupiter.confirmed() - (VALID_BLOCKS - life)
        return self._jupiter.chain.blocks.hash_of(height), height + VALID_BLOCKS


def quote_json(mint_in: str, mint_out: str, price: Price, slippage: int, slot: int) -> dict[str, Any]:
    """A quote, and the part that an order shares with it."""
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


def _wish(body: Mapping[str, Any], taker_name: str, tip: int, unit_limit: int, unit_price: int) -> Wish:
    refuse_what_is_not_simulated(body, _SWAP_NOT_SIMULATED)
    quote = body.get("quoteResponse")
    if not isinstance(quote, dict):
        raise RefusedError({"error": "Failed to deserialize the JSON body: missing field `quoteResponse`"}, 422)
    taker, plan = key(body, taker_name), quote.get("routePlan")
    terms = Terms(
        whole(quote, "inAmount", None, least=1),
        whole(quote, "outAmount", None, least=1),
        whole(quote, "slippageBps", None, most=10_000),
    )
    return Wish(
        taker=taker,
        payer=optional_key(body, "payer") or taker,
        mint_in=key(quote, "inputMint"),
        mint_out=key(quote, "outputMint"),
        terms=terms,
        hops=len(plan) if isinstance(plan, list) and len(plan) in {1, 2} else 1,
        wrap=body.get("wrapAndUnwrapSol") is not False,
        destination=optional_key(body, "destinationTokenAccount"),
        unit_limit=unit_limit,
        unit_price=unit_price,
        tip=tip,
    )


def _wish_v1(body: Mapping[str, Any]) -> Wish:
    limit = _DYNAMIC_UNIT_LIMIT if body.get("dynamicComputeUnitLimit") else UNIT_LIMIT
    price, tip = _unit_price_v1(body, limit)
    return _wish(body, "userPublicKey", tip, limit, price)


def _tip(body: Mapping[str, Any]) -> int:
    return whole(body, "tipAmount", 0, least=_LEAST_TIP) if body.get("tipAmount") is not None else 0


def _unit_price_v2(body: Mapping[str, Any]) -> int:
    wanted = body.get("computeUnitPricePercentile") or "medium"
    if isinstance(wanted, int):
        return _UNIT_PRICES["veryHigh"] * min(wanted, 10_000) // 10_000
    if wanted not in _UNIT_PRICES:
        raise RefusedError({"error": f"unknown computeUnitPricePercentile {wanted!r}"})
    return _UNIT_PRICES[wanted]


def _unit_price_v1(body: Mapping[str, Any], limit: int) -> tuple[int, int]:
    """The price of a compute unit, and the tip."""
    price, fee = body.get("computeUnitPriceMicroLamports"), body.get("prioritizationFeeLamports")
    if price is not None and fee is not None:
        code = "INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE"
        raise RefusedError({"error": "set a compute unit price or a prioritization fee, not both", "errorCode": code})
    if price is not None:
        return whole(body, "computeUnitPriceMicroLamports", None), 0
    if isinstance(fee, dict) and "jitoTipLamports" in fee:
        return 0, whole(fee, "jitoTipLamports", None)
    if isinstance(fee, dict) and isinstance(level := fee.get("priorityLevelWithMaxLamports"), dict):
        most = whole(level, "maxLamports", None) * 1_000_000 // limit
        return min(_UNIT_PRICES.get(level.get("priorityLevel", "medium"), 0), most), 0
    if isinstance(fee, int):
        return fee * 1_000_000 // limit, 0
    return _UNIT_PRICES["medium"], 0


def _instructions(parts: Parts) -> dict[str, Any]:
    return {
        "computeBudgetInstructions": [_instruction(part) for part in parts.budget],
        "setupInstructions": [_instruction(part) for part in parts.setup],
        "swapInstruction": _instruction(parts.swap),
        "cleanupInstruction": _instruction(parts.cleanup),
        "otherInstructions": [],
    }


def _instruction(instruction: Instruction | None) -> dict[str, Any] | None:
    if instruction is None:
        return None
    accounts = [
        {"pubkey": str(meta.pubkey), "isSigner": meta.is_signer, "isWritable": meta.is_writable}
        for meta in instruction.accounts
    ]
    return {"programId": str(instruction.program_id), "accounts": accounts, "data": encoded(bytes(instruction.data))}
