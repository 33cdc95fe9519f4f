"""The protocol of a venue that serves historical candles."""

from datetime import datetime
from typing import NamedTuple, Protocol

from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey


class Candle(NamedTuple):
    """A candle that has closed, with the venue's own numbers."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int


class History(Protocol):
    """Historical candles of one venue."""

    @property
    def venue(self) -> VenueKey:
        """The venue whose candles these are."""

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        """Get the candles that start at `since` or later and closed by `as_of`, oldest first, as far back as they go.

        With `spare` it waits until no other request does, and stays within the limit of such requests. Raises
        `FeedError` when the venue cannot be reached.
        """
