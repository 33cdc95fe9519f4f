"""The answers of /exchange, by action: accepted, and refused in each of the venue's words."""

from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    NATURAL,
    Schema,
    array,
    either,
    literal,
    record,
    sentence,
)
from tests.strandline_sim.contract.schemas.hyperliquid_common import CLOID, UNSIGNED

_PRICE: Final = r"[0-9]+(\.[0-9]*[1-9])?"
_ASSET: Final = r"[0-9]+"
_USER: Final = "0x[0-9a-f]{40}"
_MONEY: Final = r"[0-9]+(\.[0-9]+)?"

_ORDER_ERRORS: Final = either(
    *(
        sentence(f"{words} asset={{asset}}", asset=_ASSET, bid=_PRICE, ask=_PRICE, number="[0-9]+")
        for words in (
            "Price must be divisible by tick size.",
            "Order must have minimum value of $10.",
            "Insufficient margin to place order.",
            "Reduce only order would increase position.",
            "Post only order would have immediately matched, bbo was {bid}@{ask}.",
            "Order could not immediately match against any resting orders.",
            "Invalid TP/SL price.",
            "Order has invalid price.",
            "Order has invalid size.",
            "Order has zero size.",
            "Order price cannot be more than 80% away from the reference price",
            # The venue's words for these two are not documented.
            "Order has too large value.",
            "Too many open orders. Current limit is {number}.",
        )
    )
)
_MODIFY_ERROR: Final = either(
    literal("Cannot modify canceled or filled order", "A modified order must be able to rest."),
    _ORDER_ERRORS,
)
_CANCEL_ERROR: Final = sentence("Order was never placed, already canceled, or filled. asset={asset}", asset=_ASSET)

_ORDER_STATUS: Final = either(
    {"title": "resting", **record(resting=record(oid=NATURAL, optional={"cloid": CLOID}))},
    {
        "title": "filled",
        **record(filled=record(totalSz=UNSIGNED, avgPx=UNSIGNED, oid=NATURAL, optional={"cloid": CLOID})),
    },
    {"title": "error", **record(error=_ORDER_ERRORS)},
    literal("waitingForFill", "waitingForTrigger"),
)
_MODIFY_STATUS: Final = either(*_ORDER_STATUS["anyOf"][:2], {"title": "error", **record(error=_MODIFY_ERROR)})


def _ok(kind: str, status: Schema | None = None) -> Schema:
    if status is None:
        return {"title": "ok", **record(status=literal("ok"), response=record(type=literal(kind)))}
    data = record(statuses=array(status, least=1))
    return {"title": "ok", **record(status=literal("ok"), response=record(type=literal(kind), data=data))}


def _refused(words: Schema) -> Schema:
    return {"title": "err", **record(status=literal("err"), response=words)}


_WHOLE_REQUEST: Final = _refused(
    either(
        sentence("User or API Wallet {user} does not exist.", user=_USER),
        sentence("Must deposit before performing actions. User: {user}", user=_USER),
        sentence("Unable to recover signer."),
        sentence("Vault not registered: {user}", user=_USER),
        sentence("Invalid nonce: duplicate nonce {number}", number="[0-9]+"),
        sentence("Invalid nonce: nonce too low {number} < {least}", number="[0-9]+", least="[0-9]+"),
        sentence("Action already expired"),
        sentence("Invalid asset."),
        sentence(
            "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${money}. "
            "Place taker orders to free up 1 request per USDC traded.",
            used="[0-9]+",
            cap="[0-9]+",
            money=_MONEY,
        ),
    )
)
_DEFAULT: Final = _ok("default")
_CANCELLED: Final = either(
    _ok("cancel", either(literal("success"), {"title": "error", **record(error=_CANCEL_ERROR)})), _WHOLE_REQUEST
)

EXCHANGE: Final[dict[str, Schema]] = {
    "order": either(
        _ok("order", _ORDER_STATUS),
        _refused(
            either(
                literal("TP/SL orders must be reduce only.", "Builder fee has not been approved."),
            )
        ),
        _WHOLE_REQUEST,
    ),
    "cancel": _CANCELLED,
    "cancelByCloid": _CANCELLED,
    "modify": either(_DEFAULT, {**_refused(_MODIFY_ERROR), "title": "refused"}, _WHOLE_REQUEST),
    "batchModify": either(_ok("order", _MODIFY_STATUS), _WHOLE_REQUEST),
    "updateLeverage": either(
        _DEFAULT,
        _refused(
            literal(
                "Invalid leverage value",
                "Cannot switch leverage type with open position.",
                "Insufficient margin to decrease leverage.",
            )
        ),
        _WHOLE_REQUEST,
    ),
    "updateIsolatedMargin": either(
        _DEFAULT,
        _refused(literal("Position does not use isolated margin.", "Insufficient margin to update isolated margin.")),
        _WHOLE_REQUEST,
    ),
    "scheduleCancel": either(
        _DEFAULT,
        _refused(
            either(
                sentence(
                    "Cannot set scheduled cancel time until enough volume traded. "
                    "Required: ${needed}. Traded: ${traded}.",
                    needed="[0-9]+",
                    traded=_MONEY,
                ),
                sentence("Scheduled cancel time too early, must be at least 5 seconds from now."),
            )
        ),
        _WHOLE_REQUEST,
    ),
    "noop": either(_DEFAULT, _WHOLE_REQUEST),
    "approveAgent": either(
        _DEFAULT,
        _refused(
            either(
                sentence("Agent valid_until already expired."),
                sentence("Extra agent already used."),
                sentence(
                    "Too many extra agents for cumulative volume traded. Current limit is {number}", number="[0-9]+"
                ),
            )
        ),
        _WHOLE_REQUEST,
    ),
    "approveBuilderFee": either(
        _DEFAULT, _refused(literal("Builder has insufficient balance to be approved.")), _WHOLE_REQUEST
    ),
}
