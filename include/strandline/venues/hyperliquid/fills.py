"""Reads the fills of an order from the venue's list of fills."""

from datetime import timedelta
from typing import Final

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import Fill, FillCause
from strandline.model.order import SignedOrder
from strandline.model.side import Side
from strandline.venues.hyperliquid.responses import UserFill
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.wire import instant, milliseconds

_MAX_CLOCK_SKEW: Final = timedelta(hours=1)
"""How far our clock may be ahead of the venue's."""
_PAGE_SIZE: Final = 2000
_USDC: Final = "USDC"


def fills_of(rest: Rest, order: SignedOrder, oid: int | None = None) -> tuple[Fill, ...]:
    """Read the fills with our client order id or the venue's; the newest may be listed a moment late."""
    start = milliseconds(order.plan.prepared_at - _MAX_CLOCK_SKEW)
    rows = rest.request_since(list[UserFill], start, _PAGE_SIZE, type="userFillsByTime", user=order.address)
    ours = [row for row in rows if row.oid == oid or row.cloid == order.client_order_id]
    return tuple({fill.venue_fill_id: fill for fill in (_fill(order, row) for row in ours)}.values())


def total(fills: tuple[Fill, ...]) -> Quantity:
    """Sum their quantities."""
    return sum((fill.quantity for fill in fills), Quantity(0))


def _fill(order: SignedOrder, row: UserFill) -> Fill:
    """Trade numbers are unique within an instant and a coin, and both sides of a trade may be ours."""
    side = Side.BUY if row.side == "B" else Side.SELL
    if (row.coin, side) != (order.plan.token_contract, order.plan.side):
        raise HyperliquidError(f"a fill of {order.client_order_id} is a {side} of {row.coin}")
    if row.fee_token != _USDC:
        raise HyperliquidError(f"a fee was charged in {row.fee_token}")
    return Fill(
        venue=order.plan.venue,
        venue_fill_id=f"{row.time}:{row.tid}:{row.oid}",
        order_id=order.order_id,
        token_contract=row.coin,
        side=side,
        price=Price(row.px),
        quantity=Quantity(row.sz),
        fee=Money(row.fee),
        cause=FillCause.ORDER,
        ts=instant(row.time),
    )
