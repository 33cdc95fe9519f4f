"""What every venue's feed can do, and what it tells."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from strandline.model.exact import Money, Quantity
from strandline.model.venue import VenueKey

TickRow: TypeAlias = tuple[datetime, int, int, float, float | None, bytes | None, bytes, bytes]
"""A tick in the order of `Tick`'s fields, its letters as bytes: at thousands a second a plain tuple counts."""


class Listing(NamedTuple):
    """An instrument as the venue describes it."""

    token_contract: str
    symbol: str
    lot: Quantity
    min_notional: Money
    stale_after: timedelta
    listed: bool = True


class Refused(NamedTuple):
    """What could not be understood, as it came."""

    venue: VenueKey
    source: str
    reason: str
    payload: bytes
    instrument_id: int | None = None


class Activity(NamedTuple):
    """What a feed has done since it began; `connected` says whether the venue is heard right now."""

    connected: bool
    watched: int
    messages: int
    reconnects: int


class FeedError(Exception):
    """The venue could not be asked, or its answer makes no sense."""


class Sink(Protocol):
    """Takes what feeds tell. It never waits, so that a slow database cannot hold up a socket."""

    def ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Trades or prices, in the order in which they came."""

    def refuse(self, refused: Refused) -> None:
        """A message that made no sense."""


class Feed(Protocol):
    """Live market data of one venue."""

    @property
    def venue(self) -> VenueKey:
        """Which venue."""

    @property
    def heard_through(self) -> datetime | None:
        """All that the venue told us up to this moment has reached the sink; None if it has told nothing yet."""

    @property
    def activity(self) -> Activity:
        """For whoever looks after the sidecar."""

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        """These tokens as far as the venue has them, and others if it tells of all anyway; raises `FeedError`."""

    def watch(self, tokens: Mapping[str, int]) -> None:
        """Tell the sink about these, under these numbers, and no longer about others."""

    async def run(self) -> None:
        """Until it is cancelled; a venue that is away is tried again and again."""
