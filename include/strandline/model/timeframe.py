"""Timeframes: where bars start and end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timeframe(StrEnum):
    """A bar's length. Bars are aligned to UTC, half-open, [start, start + length), and named by their start."""

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
        """Return the start of the bar that contains the instant; a boundary belongs to the bar that it starts."""
        if instant.utcoffset() != timedelta(0):
            raise ValueError(f"expected an instant in UTC, got {instant.isoformat()}")
        return instant - (instant - _EPOCH) % self.length

    def end_of(self, instant: datetime) -> datetime:
        """Return the first instant after the bar that contains this instant."""
        return self.start_of(instant) + self.length

    def starts_bar(self, instant: datetime) -> bool:
        """Whether a bar starts at this instant."""
        return self.start_of(instant) == instant

    def starts(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Iterate over the starts of bars, from the one that holds `since` to the last before `until`."""
        start = self.start_of(since)
        while start < until:
            yield start
            start += self.length

    def last_final(self, as_of: datetime) -> datetime:
        """Return the start of the newest bar that has ended at `as_of`."""
        return self.start_of(as_of) - self.length


_LENGTHS = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
}
