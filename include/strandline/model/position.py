"""Position rows and their holdings."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.ids import derived_id
from strandline.model.record import Record, require
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey


class DesiredStatus(StrEnum):
    """What a person has set for a row; the rest of its status follows from its bars and its holding."""

    OPEN = "open"
    PAUSED = "paused"
    ARCHIVED = "archived"


class PositionStatus(StrEnum):
    """`paused` or `archived` if a person has set it; otherwise `active` while holding, `watchlist` while flat.

    A flat row is `dormant` until the engine has enough bars.
    """

    DORMANT = "dormant"
    WATCHLIST = "watchlist"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class PositionKey(Record, frozen=True, kw_only=True, order=True):
    """Venue, token and timeframe: there is one position row for each."""

    venue: VenueKey
    token_contract: str
    timeframe: Timeframe

    @property
    def position_id(self) -> UUID:
        """The row's id, derived from the key, so that a replay's rows have the same ids as the live ones."""
        return derived_id("position", self.venue.token_chain, self.venue.book_id, self.token_contract, self.timeframe)

    def __str__(self) -> str:
        return f"{self.venue}/{self.token_contract}/{self.timeframe}"


class Holding(Record, frozen=True, kw_only=True):
    """What the row holds and what its open trade has cost and brought; computed from the row's fills."""

    trade_no: int = 0
    quantity: Quantity = Quantity(0)
    average_entry: Price | None = None
    invested: Money = Money(0)
    extracted: Money = Money(0)
    realised_pnl: Money = Money(0)
    fees: Money = Money(0)
    first_fill_at: datetime | None = None
    last_fill_at: datetime | None = None

    def check(self) -> None:
        require(
            bool(self.quantity) == (self.average_entry is not None), "a holding has an average entry, and only then"
        )
        require(not self.quantity or self.first_fill_at is not None, "a holding has a first fill")

    @property
    def cost(self) -> Money:
        """The cost of what is held, exact where average entry times quantity is rounded; equals `holdings.cost`."""
        return self.invested - self.extracted + self.realised_pnl


class Position(Record, frozen=True, kw_only=True):
    """A position row as planner and executors see it."""

    key: PositionKey
    instrument_id: int
    desired_status: DesiredStatus
    weight: Ratio
    ready: bool
    holding: Holding

    @property
    def position_id(self) -> UUID:
        """The key's position id."""
        return self.key.position_id

    @property
    def may_buy(self) -> bool:
        """Whether its history is long enough, and nobody has paused or archived it."""
        return self.ready and self.desired_status is DesiredStatus.OPEN

    @property
    def status(self) -> PositionStatus:
        """The status that follows from the fields; the view `position_rows` derives the same."""
        if self.desired_status is not DesiredStatus.OPEN:
            return PositionStatus(self.desired_status.value)
        if self.holding.quantity:
            return PositionStatus.ACTIVE
        return PositionStatus.WATCHLIST if self.ready else PositionStatus.DORMANT
