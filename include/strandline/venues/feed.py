"""The protocol of a venue's live market data, and the values that pass through it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from strandline.model.exact import Money, Quantity
from strandline.model.venue import VenueKey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TickRow: TypeAlias = tuple[int, int, int, float, float | None, bytes | None, bytes, bytes]
"""A tick in the order of the columns of `ticks`: time, instrument, trade id, price, size, side, kind and source.

Its time is in microseconds since 1970, its letters are bytes, and only a price has neither size nor side. It is a plain
tuple because there are thousands a second.
"""


class Listing(NamedTuple):
    """An instrument as the venue describes it.

    `calendar` is that of its sessions, by its name in exchange_calendars; None if it is traded around the clock.
    """

    token_contract: str
    symbol: str
    lot: Quantity
    min_notional: Money
    stale_after: timedelta
    listed: bool = True
    calendar: str | None = None


class QuarantinedMessage(NamedTuple):
    """A message, or the part of one, that could not be read: the bytes as received, and why.

    If it was a trade of which so much is clear, `instrument_id` and `ts` say what and when.
    """

    venue: VenueKey
    source: str
    reason: str
    payload: bytes
    instrument_id: int | None = None
    ts: datetime | None = None


class FeedStatus(NamedTuple):
    """Whether a feed is connected, how many instruments it streams, and its totals since it started.

    `oversized` counts the messages that were refused unread because they were too large.
    """

    connected: bool
    subscribed: int
    messages: int
    reconnects: int
    oversized: int = 0


class FeedError(Exception):
    """The venue could not be reached, or its response could not be read."""


class Sink(Protocol):
    """Receives what feeds decode. Its methods return at once, so that a slow database cannot hold up a socket."""

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Take trades or prices, in the order in which they were received; duplicates are allowed."""

    def add_packed(self, venue: VenueKey, ticks: "NDArray[np.void]") -> None:
        """Take the same from a feed that has many at once, as an array (`packed_ticks.py`)."""

    def quarantine(self, message: QuarantinedMessage) -> None:
        """Take a message that could not be read."""


class Feed(Protocol):
    """Live market data of one venue."""

    @property
    def venue(self) -> VenueKey:
        """The venue whose data this is."""

    @property
    def received_through(self) -> datetime | None:
        """The feed's watermark: all that the venue sent up to this time is in the sink, as far as it can be received.

        That a frame has come proves nothing, others may wait behind it: the answer to a request does, up to the time of
        the request. None before anything is proved.
        """

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        """Since when each instrument's trades have come without an interruption, as far as it is proved.

        Instruments that are interrupted now are left out, and so are those whose prices are polled.
        """

    @property
    def status(self) -> FeedStatus:
        """The feed's status, for the heartbeat."""

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        """Get the descriptions of these tokens, and of others if the venue returns all; raises `FeedError`."""

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """Stream exactly these tokens from now on; each is given with its instrument id."""

    async def run(self) -> None:
        """Stream until cancelled, reconnecting as often as it takes."""
