"""`/execute`: lands the transaction of an order, once, and says what it did."""

import base64
import binascii
from typing import Any, Final

from aiohttp import web
from solders.transaction import VersionedTransaction

from strandline_sim.solana.jupiter_order import Order, Ordering
from strandline_sim.solana.jupiter_request import Jupiter, RefusedError, body_of
from strandline_sim.solana.landed import Landed
from strandline_sim.solana.swap_parts import Wish
from strandline_sim.solana.swap_program import SLIPPAGE_EXCEEDED, pool_address
from strandline_sim.solana.transactions import well_signed

_PATIENCE_MS: Final = 60_000
_UNKNOWN_ORDER, _BAD_TRANSACTION, _OTHER_MESSAGE, _NO_REQUEST_ID, _NO_TRANSACTION = -1, -2, -3, -4, -5
_NOT_LANDED, _NOT_SIGNED, _EXPIRED, _TIMED_OUT = -1000, -1003, -1005, -1006


class Executing:
    """The handler."""

    def __init__(self, jupiter: Jupiter, ordering: Ordering) -> None:
        self._jupiter = jupiter
        self._ordering = ordering

    async def execute(self, request: web.Request) -> dict[str, Any]:
        """Land the signed transaction, and say what it did; posted again it says the same, and does nothing."""
        body = await body_of(request)
        order, transaction = self._checked(body)
        chain = self._jupiter.chain
        chain.sync()
        signature = str(transaction.signatures[0])
        if chain.landed(signature) is None:
            chain.receive(transaction)
        until = self._jupiter.clock.now() + _PATIENCE_MS
        while (landed := chain.landed(signature)) is None:
            height = chain.sync()
            if height > order.last_valid:
                return _failed(signature, _EXPIRED, "Transaction expired")
            if self._jupiter.clock.now() >= until:
                return _failed(signature, _TIMED_OUT, "Timed out")
            await self._jupiter.clock.wait_until(chain.blocks.time_of(height + 1))
            chain.sync()
        return _executed(landed, order.wish, chain.blocks.slot_of(landed.height))

    def _checked(self, body: dict[str, Any]) -> tuple[Order, VersionedTransaction]:
        identity, text = body.get("requestId"), body.get("signedTransaction")
        if not identity:
            raise _refusal(_NO_REQUEST_ID, "Missing request id")
        if not text:
            raise _refusal(_NO_TRANSACTION, "Missing signed transaction")
        order = self._ordering.given(identity)
        if order is None:
            raise _refusal(_UNKNOWN_ORDER, "Order not found in cache")
        try:
            transaction = VersionedTransaction.from_bytes(base64.b64decode(text, validate=True))
        except (ValueError, TypeError, binascii.Error):
            raise _refusal(_BAD_TRANSACTION, "Invalid signed transaction") from None
        if bytes(transaction.message) != order.message:
            raise _refusal(_OTHER_MESSAGE, "Invalid message bytes")
        if not well_signed(transaction):
            raise _refusal(_NOT_SIGNED, "Transaction not fully signed")
        return order, transaction


def _executed(landed: Landed, wish: Wish, slot: int) -> dict[str, Any]:
    error = landed.error
    if error is not None:
        kind = error["InstructionError"][1] if isinstance(error, dict) and "InstructionError" in error else error
        custom = kind.get("Custom") if isinstance(kind, dict) else None
        text = "Slippage tolerance exceeded" if custom == SLIPPAGE_EXCEEDED else "Transaction failed"
        code = custom if custom is not None else _NOT_LANDED
        return {**_failed(landed.signature, code, text), "slot": str(slot)}
    paid, got = wish.terms.amount_in, _arrived(landed, str(wish.mint_out))
    event = {
        "inputMint": str(wish.mint_in),
        "inputAmount": str(paid),
        "outputMint": str(wish.mint_out),
        "outputAmount": str(got),
    }
    return {
        "status": "Success",
        "signature": landed.signature,
        "slot": str(slot),
        "code": 0,
        "totalInputAmount": str(paid),
        "totalOutputAmount": str(got),
        "inputAmountResult": str(paid),
        "outputAmountResult": str(got),
        "swapEvents": [event],
    }


def _failed(signature: str, code: int, text: str) -> dict[str, Any]:
    amounts = ("totalInputAmount", "totalOutputAmount", "inputAmountResult", "outputAmountResult")
    failure = {"status": "Failed", "signature": signature, "code": code, "error": text, "swapEvents": []}
    return {**failure, **dict.fromkeys(amounts, "0")}


def _refusal(code: int, text: str) -> RefusedError:
    return RefusedError({"error": text, "code": code})


def _arrived(landed: Landed, mint: str) -> int:
    """What the vault paid without what the token withheld: wrapped SOL leaves no trace in the wallet's own account."""
    pool, deltas = str(pool_address()[0]), [delta for delta in landed.token_deltas() if delta["mint"] == mint]
    paid = -sum(int(delta["amount"]) for delta in deltas if delta["owner"] == pool)
    return paid - sum(int(delta["withheld"]) for delta in deltas)
