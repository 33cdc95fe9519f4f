"""Fills, and cash events: cash that moved without a fill."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.record import Record, require
from strandline.model.side import Side
from strandline.model.venue import VenueKey


class FillCause(StrEnum):
    """What caused a fill."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    MANUAL = "manual"


class CashCause(StrEnum):
    """What moved cash without a fill."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FUNDING = "funding"
    GAS = "gas"
    RENT = "rent"
    OTHER = "other"


class Fill(Record, frozen=True, kw_only=True):
    """A fill, named by the venue's own id. `order_id` is None if no order of ours caused it."""

    venue: VenueKey
    venue_fill_id: str
    order_id: UUID | None
    token_contract: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Money
    cause: FillCause
    ts: datetime

    def check(self) -> None:
        require(bool(self.quantity), "a fill has a quantity")
        require(
            (self.order_id is not None) is (self.cause is FillCause.ORDER), "a fill names its order, or another cause"
        )

    @property
    def notional(self) -> Money:
        """Price times quantity, without the fee."""
        return self.price * self.quantity


class CashEvent(Record, frozen=True, kw_only=True):
    """A movement of cash, named by the venue's own id. A positive amount was received.

    `usd` is its value when it happened; one unit of a stablecoin is one dollar.
    """

    venue: VenueKey
    venue_event_id: str
    cause: CashCause
    asset: str
    amount: Amount
    usd: Money
    ts: datetime
