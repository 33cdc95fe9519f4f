"""The shapes of clients' actions, with the fields in the venue's order; anything else is malformed."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, to_builtins

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Cloid = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{32}$")]
Number = Annotated[str, Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?$")]
Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

MAX_ORDERS: Final = 100
MAX_CANCELS: Final = 1000
"""The most in one action, so that none holds up everybody else. The venue publishes no limit."""


class Request(Struct, rename="camel"):
    """The body of a request to /exchange."""

    action: dict[str, Any]
    nonce: Natural
    signature: dict[str, Any]
    vault_address: Address | None = None
    expires_after: Natural | None = None


class LimitType(Struct):
    """The type of a limit order."""

    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class TriggerType(Struct, rename="camel"):
    """The type of a trigger order."""

    is_market: bool
    trigger_px: Number
    tpsl: Literal["tp", "sl"]


class OrderType(Struct, omit_defaults=True):
    """The type of an order: limit or trigger."""

    limit: LimitType | None = None
    trigger: TriggerType | None = None


class WireOrder(Struct, omit_defaults=True):
    """An order."""

    a: Natural
    b: bool
    p: Number
    s: Number
    r: bool
    t: OrderType
    c: Cloid | None = None


class Builder(Struct):
    """Who is paid for having built an order, in tenths of a basis point."""

    b: Address
    f: Natural


class PriorityFee(Struct):
    """What is paid to be executed first."""

    p: Natural


class OrderAction(Struct, omit_defaults=True, tag_field="type", tag="order"):
    """Place orders."""

    orders: Annotated[list[WireOrder], Meta(min_length=1, max_length=MAX_ORDERS)]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | PriorityFee
    builder: Builder | None = None


class CancelOne(Struct):
    """An order to cancel, by its id."""

    a: Natural
    o: Natural


class CancelAction(Struct, tag_field="type", tag="cancel"):
    """Cancel orders."""

    cancels: Annotated[list[CancelOne], Meta(min_length=1, max_length=MAX_CANCELS)]


class CancelOneByCloid(Struct):
    """An order to cancel, by the client's id."""

    asset: Natural
    cloid: Cloid


class CancelByCloidAction(Struct, tag_field="type", tag="cancelByCloid"):
    """Cancel orders by the client's ids."""

    cancels: Annotated[list[CancelOneByCloid], Meta(min_length=1, max_length=MAX_CANCELS)]


class ModifyAction(Struct, omit_defaults=True, tag_field="type", tag="modify"):
    """Replace an order."""

    oid: Natural | Cloid
    order: WireOrder
    a: bool = False


class ModifyOne(Struct):
    """An order to replace."""

    oid: Natural | Cloid
    order: WireOrder


class BatchModifyAction(Struct, omit_defaults=True, tag_field="type", tag="batchModify"):
    """Replace orders."""

    modifies: Annotated[list[ModifyOne], Meta(min_length=1, max_length=MAX_ORDERS)]
    a: bool = False


class LeverageAction(Struct, tag_field="type", tag="updateLeverage", rename="camel"):
    """Set a coin's leverage."""

    asset: Natural
    is_cross: bool
    leverage: Natural


class IsolatedMarginAction(Struct, tag_field="type", tag="updateIsolatedMargin", rename="camel"):
    """Move margin between cash and an isolated position, in millionths of a dollar."""

    asset: Natural
    is_buy: bool
    ntli: Integer


class ScheduleCancelAction(Struct, omit_defaults=True, tag_field="type", tag="scheduleCancel"):
    """Schedule a cancel of all orders, or remove the schedule."""

    time: Natural | None = None


class NoopAction(Struct, tag_field="type", tag="noop"):
    """Do nothing but use the nonce."""


class ApproveAgentAction(Struct, tag_field="type", tag="approveAgent", rename="camel"):
    """Allow another key to trade."""

    agent_address: Address
    signature_chain_id: str
    nonce: Natural
    agent_name: str | None = None


class ApproveBuilderFeeAction(Struct, tag_field="type", tag="approveBuilderFee", rename="camel"):
    """Allow a builder to charge a fee."""

    builder: Address
    max_fee_rate: str
    signature_chain_id: str
    nonce: Natural


Action = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | LeverageAction
    | IsolatedMarginAction
    | ScheduleCancelAction
    | NoopAction
    | ApproveAgentAction
    | ApproveBuilderFeeAction
)


def canonical(action: Action) -> dict[str, Any]:
    """Write an action as the venue does before it takes the hash.

    Its own order of fields, without unknown ones and without those that are null, numbers without trailing zeros,
    lower-case hex: a client that signed another spelling is taken for somebody else.
    """
    written: dict[str, Any] = _canonical(to_builtins(action))
    return written


def _canonical(value: Any, name: str = "") -> Any:  # noqa: ANN401  any JSON value
    if isinstance(value, dict):
        return {key: _canonical(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    if isinstance(value, str) and name in {"p", "s", "triggerPx"}:
        return f"{Decimal(value).normalize():f}"
    return value.lower() if isinstance(value, str) and name in {"b", "c", "cloid", "oid"} else value
