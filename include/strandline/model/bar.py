"""OHLCV bars with their completeness."""

from datetime import datetime
from enum import StrEnum

from strandline.model.record import Record, require
from strandline.model.source import Source
from strandline.model.timeframe import Timeframe


class GapType(StrEnum):
    """Why there is time without bars before this one."""

    OVERNIGHT = "overnight"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    OUTAGE = "outage"
    QUIET = "quiet"


class Bar(Record, frozen=True, kw_only=True):
    """A final bar. Later data never changes it: they make the next `revision`."""

    instrument_id: int
    timeframe: Timeframe
    ts: datetime
    revision: int
    known_seq: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    quote_volume: float | None
    vwap: float | None
    ticks: int
    source: Source
    outage: bool = False
    dropped: int = 0
    repaired: bool = False
    gap_detected: bool = False
    gap_magnitude_pct: float = 0.0
    gap_type: GapType | None = None

    def check(self) -> None:
        require(self.timeframe.starts_bar(self.ts), f"no {self.timeframe} bar starts at {self.ts.isoformat()}")
        require(self.low <= min(self.open, self.close), "low is above open or close")
        require(self.high >= max(self.open, self.close), "high is below open or close")
        require(self.volume is None or self.volume >= 0, "volume is negative")
        require(self.revision >= 0 and self.known_seq >= 0, "revision and known_seq count from zero")
        require(self.gap_detected == (self.gap_type is not None), "a gap has a type, and only a gap has one")

    @property
    def end(self) -> datetime:
        """The first instant after the bar."""
        return self.ts + self.timeframe.length
