"""What a venue did: fills, and cash that moved without one."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.record import Record, require
from strandline.model.side import Side
from strandline.model.venue import VenueKey


class FillCause(StrEnum):
    """Why the venue traded for us."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    MANUAL = "manual"


class CashCause(StrEnum):
    """Why cash moved without a fill."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FUNDING = "funding"
    GAS = "gas"
    RENT = "rent"
    OTHER = "other"


class Fill(Record, frozen=True, kw_only=True):
    """Stored once, by the venue's own id. `order_id` is ours, and None for what no order of ours asked for."""

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
            (self.order_id is not None) is (self.cause is FillCause.ORDER), "our fills have our order, others have none"
        )

    @property
    def notional(self) -> Money:
        """What changed hands, without the fee."""
        return self.price * self.quantity


class CashEvent(Record, frozen=True, kw_only=True):
    """Stored once, by the venue's own id. A positive amount came in. `usd` is its worth when it happened.

    A stablecoin's amount is its worth.
    """

    venue: VenueKey
    venue_event_id: str
    cause: CashCause
    asset: str
    amount: Amount
    usd: Money
    ts: datetime
