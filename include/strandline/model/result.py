"""The result of an order, as far as it is known."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import CashEvent, Fill
from strandline.model.record import Record, require


class OrderStatus(StrEnum):
    """`ready` is written before anything is sent; `unknown` may only become another status by recovery."""

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
    """Without a clear response the status is `unknown`, never `rejected`.

    `cash_events` are what the order cost besides its fills: gas, rent.
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
        require(bool(self.filled) is (self.average_price is not None), "what was filled has an average price")
        require(
            bool(self.filled) is (self.status is OrderStatus.FILLED) or not self.status.resolved,
            "status and fills disagree",
        )


class StillUnknown(Record, frozen=True, kw_only=True):
    """Recovery could not decide yet; nothing else may be sent for this intent."""

    order_id: UUID
    reason: str
    seen_at: datetime
