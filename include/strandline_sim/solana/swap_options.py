"""Parses the body of a swap request, with the names of Swap V2 or of V1, which older clients send."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from strandline_sim.solana.jupiter_request import (
    RefusedError,
    address,
    optional_address,
    refuse_unsupported,
    whole_number,
)
from strandline_sim.solana.route import Terms
from strandline_sim.solana.swap_transaction import UNIT_LIMIT, SwapRequest

_MIN_TIP: Final = 1_000_000
_DYNAMIC_UNIT_LIMIT: Final = 200_000
_UNIT_PRICES: Final = {"medium": 5_000, "high": 20_000, "veryHigh": 100_000}
_UNSUPPORTED: Final = ("feeAccount", "nativeDestinationAccount", "asLegacyTransaction", "dynamicSlippage")


class _Fees(NamedTuple):
    unit_limit: int
    unit_price: int
    tip: int


def swap_request(body: Mapping[str, Any]) -> SwapRequest:
    """Parse a body; raise RefusedError for missing, invalid or unsupported parameters."""
    refuse_unsupported(body, _UNSUPPORTED)
    quote = body.get("quoteResponse")
    if not isinstance(quote, dict):
        raise RefusedError({"error": "Failed to deserialize the JSON body: missing field `quoteResponse`"}, 422)
    taker, plan = address(body, "taker" if "taker" in body else "userPublicKey"), quote.get("routePlan")
    terms = Terms(
        whole_number(quote, "inAmount", None, least=1),
        whole_number(quote, "outAmount", None, least=1),
        whole_number(quote, "slippageBps", None, most=10_000),
    )
    fees = _fees(body)
    return SwapRequest(
        taker=taker,
        payer=optional_address(body, "payer") or taker,
        mint_in=address(quote, "inputMint"),
        mint_out=address(quote, "outputMint"),
        terms=terms,
        hops=len(plan) if isinstance(plan, list) and len(plan) in {1, 2} else 1,
        wrap=body.get("wrapAndUnwrapSol") is not False,
        destination=optional_address(body, "destinationTokenAccount"),
        unit_limit=fees.unit_limit,
        unit_price=fees.unit_price,
        tip=fees.tip,
    )


def _fees(body: Mapping[str, Any]) -> _Fees:
    limit = _DYNAMIC_UNIT_LIMIT if body.get("dynamicComputeUnitLimit") is True else UNIT_LIMIT
    price, fee = body.get("computeUnitPriceMicroLamports"), body.get("prioritizationFeeLamports")
    if price is not None and fee is not None:
        code = "INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE"
        raise RefusedError({"error": "set a compute unit price or a prioritization fee, not both", "errorCode": code})
    if price is not None:
        return _Fees(limit, whole_number(body, "computeUnitPriceMicroLamports", None), _tip(body))
    if fee is not None:
        return _priority_fee(fee, limit)
    return _Fees(limit, _percentile_price(body), _tip(body))


def _priority_fee(fee: object, limit: int) -> _Fees:
    """Parse V1's `prioritizationFeeLamports`: an amount, a level with a maximum, or a tip."""
    if isinstance(fee, int):
        return _Fees(
            limit,
            whole_number({"prioritizationFeeLamports": fee}, "prioritizationFeeLamports", None) * 1_000_000 // limit,
            0,
        )
    if isinstance(fee, dict) and "jitoTipLamports" in fee:
        return _Fees(limit, 0, whole_number(fee, "jitoTipLamports", None))
    if isinstance(fee, dict) and isinstance(level := fee.get("priorityLevelWithMaxLamports"), dict):
        most = whole_number(level, "maxLamports", None) * 1_000_000 // limit
        return _Fees(limit, min(_level_price(level.get("priorityLevel", "medium")), most), 0)
    raise RefusedError({"error": f"unknown prioritizationFeeLamports {fee!r}"})


def _tip(body: Mapping[str, Any]) -> int:
    return whole_number(body, "tipAmount", 0, least=_MIN_TIP) if body.get("tipAmount") is not None else 0


def _percentile_price(body: Mapping[str, Any]) -> int:
    percentile = body.get("computeUnitPricePercentile") or "medium"
    if isinstance(percentile, int):
        return _UNIT_PRICES["veryHigh"] * min(percentile, 10_000) // 10_000
    return _level_price(percentile)


def _level_price(level: object) -> int:
    if not isinstance(level, str) or level not in _UNIT_PRICES:
        raise RefusedError({"error": f"unknown priority level {level!r}; known are {', '.join(_UNIT_PRICES)}"})
    return _UNIT_PRICES[level]
