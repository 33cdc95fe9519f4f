"""An executor's plan for an intent, or its reason not to execute it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Money, Price, Quantity
from strandline.model.ids import derived_id
from strandline.model.record import Record, require
from strandline.model.side import Side
from strandline.model.venue import VenueKey


class OrderKind(StrEnum):
    """How an order reaches the market."""

    IOC = "ioc"
    SWAP = "swap"
    PAPER = "paper"


class ExecutionPlan(Record, frozen=True, kw_only=True):
    """The order to be signed. `order_id` is the same for the same attempt at the same intent."""

    intent_id: UUID
    attempt: int
    venue: VenueKey
    token_contract: str
    side: Side
    kind: OrderKind
    quantity: Quantity
    limit_price: Price
    reduce_only: bool
    prepared_at: datetime
    deadline: datetime
    details: Mapping[str, str]

    def check(self) -> None:
        require(self.attempt >= 1, "attempts count from 1")
        require(bool(self.quantity), "a plan trades something")
        require(self.reduce_only is (self.side is Side.SELL), "sells are reduce-only, buys are not")
        require(self.deadline > self.prepared_at, "the deadline lies after the preparation")

    @property
    def order_id(self) -> UUID:
        """The order's id: one per intent and attempt."""
        return derived_id("order", str(self.intent_id), self.attempt)

    @property
    def notional(self) -> Money:
        """Its cost or proceeds at the limit price."""
        return self.limit_price * self.quantity


class SkipExecution(Exception):  # noqa: N818  a skip is no error
    """Ends an intent without an order, which is a normal outcome. `reason` is a code, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
