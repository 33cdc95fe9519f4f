"""Swap V2's `/quote`, `/swap`, `/swap-instructions` and `/program-id-to-label`."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from solders.hash import Hash
from solders.instruction import Instruction

from strandline_sim.solana.blocks import VALID_BLOCKS
from strandline_sim.solana.jupiter_request import (
    Jupiter,
    RefusedError,
    address,
    base64_text,
    body_of,
    refuse_unsupported,
    whole_number,
)
from strandline_sim.solana.pools import Hop, Price
from strandline_sim.solana.route import Terms
from strandline_sim.solana.swap_options import swap_request
from strandline_sim.solana.swap_program import PROGRAM_ID
from strandline_sim.solana.swap_transaction import SwapRequest, swap_instructions, unsigned_transaction

_DEFAULT_SLIPPAGE_BPS: Final = 50
_UNSUPPORTED: Final = ("platformFeeBps", "dexes", "asLegacyTransaction", "forJitoBundle")


class SwapHandlers:
    """Handlers of `/quote`, `/swap` and `/swap-instructions`."""

    def __init__(self, jupiter: Jupiter) -> None:
        self._jupiter = jupiter

    async def quote(self, request: web.Request) -> dict[str, Any]:
        """Quote the market's price."""
        query = request.query
        refuse_unsupported(query, _UNSUPPORTED)
        if query.get("swapMode", "ExactIn") != "ExactIn":
            raise RefusedError({"error": "only swapMode ExactIn is simulated", "errorCode": "NOT_SUPPORTED"})
        amount = whole_number(query, "amount", None, least=1)
        slippage = whole_number(query, "slippageBps", _DEFAULT_SLIPPAGE_BPS, most=10_000)
        instant = self._jupiter.instant("quote")
        price = self._jupiter.pools.price(address(query, "inputMint"), address(query, "outputMint"), amount, instant)
        return _quote_json(query["inputMint"], query["outputMint"], price, slippage, self._jupiter.slot())

    async def swap(self, request: web.Request) -> dict[str, Any]:
        """Build the transaction of a quote."""
        body = await body_of(request)
        requested = swap_request(body)
        return {**self._transaction(requested, body), "computeUnitPrice": str(requested.unit_price)}

    async def instructions(self, request: web.Request) -> dict[str, Any]:
        """Build the instructions of a quote, for a client's own transaction."""
        body = await body_of(request)
        built = swap_instructions(swap_request(body), self._jupiter.pools)
        blockhash, last_valid = self._blockhash(body)
        return {
            "computeBudgetInstructions": [_instruction_json(part) for part in built.budget],
            "setupInstructions": [_instruction_json(part) for part in built.setup],
            "swapInstruction": _instruction_json(built.swap),
            "cleanupInstruction": None if built.cleanup is None else _instruction_json(built.cleanup),
            "otherInstructions": [],
            "tipInstruction": None if built.tip is None else _instruction_json(built.tip),
            "addressesByLookupTableAddress": None,
            "addressLookupTableAddresses": [],  # clients written for V1 read the tables here
            "blockhashWithMetadata": {"blockhash": list(bytes(blockhash)), "lastValidBlockHeight": last_valid},
        }

    async def program_labels(self, _: web.Request) -> dict[str, str]:
        """Return the labels of programs."""
        return {str(PROGRAM_ID): "Strandline"}

    def _transaction(self, requested: SwapRequest, body: Mapping[str, Any]) -> dict[str, Any]:
        blockhash, last_valid = self._blockhash(body)
        transaction = unsigned_transaction(requested, swap_instructions(requested, self._jupiter.pools), blockhash)
        return {
            "swapTransaction": base64_text(bytes(transaction)),
            "lastValidBlockHeight": last_valid,
            "prioritizationFeeLamports": requested.priority_fee,
        }

    def _blockhash(self, body: Mapping[str, Any]) -> tuple[Hash, int]:
        """Choose a blockhash: an older one for a shorter validity, which the chain bounds."""
        validity = min(whole_number(body, "blockhashSlotsToExpiry", VALID_BLOCKS, 1, 300), VALID_BLOCKS)
        height = self._jupiter.confirmed() - (VALID_BLOCKS - validity)
        return self._jupiter.chain.blocks.hash_of(height), height + VALID_BLOCKS


def _quote_json(mint_in: str, mint_out: str, price: Price, slippage: int, slot: int) -> dict[str, Any]:
    """Make Jupiter's JSON of a quote."""
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


def _instruction_json(instruction: Instruction) -> dict[str, Any]:
    accounts = [
        {"pubkey": str(meta.pubkey), "isSigner": meta.is_signer, "isWritable": meta.is_writable}
        for meta in instruction.accounts
    ]
    return {
        "programId": str(instruction.program_id),
        "accounts": accounts,
        "data": base64_text(bytes(instruction.data)),
    }
