"""What venues that keep a history can do."""

from datetime import datetime
from typing import NamedTuple, Protocol

from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey


class Candle(NamedTuple):
    """A candle that is over, as the venue counts it."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int


class History(Protocol):
    """The past of one venue's instruments."""

    @property
    def venue(self) -> VenueKey:
        """Which venue."""

    async def candles(self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime) -> list[Candle]:
        """Those that start at `since` or later and are over at `as_of`, as far back as the venue has them, in order.

        Raises `FeedError` when the venue cannot be asked.
        """
