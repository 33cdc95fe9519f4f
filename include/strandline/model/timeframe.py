"""Timeframes, and the one place that knows where a bar starts and ends."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timeframe(StrEnum):
    """UTC-aligned; a bar is half-open, [start, start + length), and is named by its start."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def length(self) -> timedelta:
        """How long a bar lasts."""
        return _LENGTHS[self]

    def start_of(self, instant: datetime) -> datetime:
        """The start of the bar that this instant belongs to; a boundary belongs to the bar that it starts."""
        if instant.utcoffset() != timedelta(0):
            raise ValueError(f"expected an instant in UTC, got {instant.isoformat()}")
        return instant - (instant - _EPOCH) % self.length

    def end_of(self, instant: datetime) -> datetime:
        """The first instant after the bar that this instant belongs to."""
        return self.start_of(instant) + self.length

    def starts_bar(self, instant: datetime) -> bool:
        """Whether a bar starts exactly here."""
        return self.start_of(instant) == instant

    def last_final(self, as_of: datetime) -> datetime:
        """The start of the newest bar that is over at `as_of`."""
        return self.start_of(as_of) - self.length


_LENGTHS = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
}
