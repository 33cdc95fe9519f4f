"""Results of orders, as far as the venue has reported them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import CashEvent, Fill
from strandline.model.record import Record, require


class OrderStatus(StrEnum):
    """The status of an order. `ready` is stored before anything is sent; only recovery ends `unknown`."""

    READY = "ready"
    SENT = "sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    UNFILLED = "unfilled"
    REJECTED = "rejected"
    DEAD = "dead"

    @property
    def resolved(self) -> bool:
        """Whether the status is final."""
        return self not in (OrderStatus.READY, OrderStatus.SENT, OrderStatus.UNKNOWN)


class ExecutionResult(Record, frozen=True, kw_only=True):
    """The result of an order. Without a clear response the status is `unknown`, never `rejected`.

    `cash_events` are the costs besides its fills: gas and rent.
    """

    order_id: UUID
    status: OrderStatus
    venue_order_id: str | None
    fills: tuple[Fill, ...]
    filled: Quantity
    average_price: Price | None
    slippage_bps: float | None
    fees: Money
    error: str | None
    seen_at: datetime
    cash_events: tuple[CashEvent, ...] = ()

    def check(self) -> None:
        filled = Quantity(0)
        for fill in self.fills:
            filled = filled + fill.quantity
        require(filled == self.filled, f"fills add up to {filled}, not {self.filled}")
        require(
            bool(self.filled) is (self.average_price is not None),
            "a result has an average price exactly when it has fills",
        )
        require(
            bool(self.filled) is (self.status is OrderStatus.FILLED) or not self.status.resolved,
            "status and fills disagree",
        )


class StillUnknown(Record, frozen=True, kw_only=True):
    """Recovery could not find the order's result yet; nothing else may be sent for its intent."""

    order_id: UUID
    reason: str
    seen_at: datetime
