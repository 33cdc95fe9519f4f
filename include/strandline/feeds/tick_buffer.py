"""Between the venues and the database: takes what is told, without ever waiting, and keeps it until it is written."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec

from strandline.feeds.dedup import RecentKeys
from strandline.model.venue import VenueKey
from strandline.venues.feed import QuarantinedMessage, TickRow

ROWS_AT_ONCE: Final = 5_000
"""So many are reason enough to write them."""
_MOST_ROWS: Final = 200_000
_MOST_REFUSED: Final = 1_000


class Batch(NamedTuple):
    """What waited."""

    rows: list[TickRow]
    refused: list[QuarantinedMessage]


@dataclass
class Counts:
    """What became of everything that was told, since the start."""

    taken: int = 0
    doubles: int = 0
    refused: int = 0
    refused_unkept: int = 0
    dropped: Counter[int] = field(default_factory=Counter)
    """By instrument."""


class TickBuffer:
    """A `Sink`. What comes while it is full is dropped and counted: it never blocks a socket, and never balloons."""

    def __init__(self, most_rows: int = _MOST_ROWS, most_refused: int = _MOST_REFUSED) -> None:
        self.counts = Counts()
        self._most_rows = most_rows
        self._most_refused = most_refused
        self._rows: list[TickRow] = []
        self._refused: list[QuarantinedMessage] = []
        self._recent = RecentKeys()
        self._begin = self._end = datetime.max.replace(tzinfo=UTC)
        self._full = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Rows that nobody has taken yet."""
        return len(self._rows)

    def store_days(self, first: date, last: date) -> None:
        """There are partitions for these days: a tick of another one would take its whole batch down with it."""
        self._begin = datetime.combine(first, time(), UTC)
        self._end = datetime.combine(last, time(), UTC) + timedelta(days=1)

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Each new one once, if it can be stored and there is room."""
        for row in rows:
            key = row[:3]
            if key in self._recent:
                self.counts.doubles += 1
            elif not self._begin <= row[0] < self._end:
                reason = "its time lies outside of the days that are stored"
                self.quarantine(QuarantinedMessage(venue, "time", reason, msgspec.json.encode(row), row[1]))
            elif len(self._rows) >= self._most_rows:
                self.counts.dropped[row[1]] += 1
            else:
                self._recent.add(key)
                self._rows.append(row)
                self.counts.taken += 1
        if len(self._rows) >= ROWS_AT_ONCE:
            self._full.set()

    def quarantine(self, refused: QuarantinedMessage) -> None:
        """All are counted; of a flood only some are kept."""
        self.counts.refused += 1
        if len(self._refused) < self._most_refused:
            self._refused.append(refused)
        else:
            self.counts.refused_unkept += 1

    async def fill(self, seconds: float) -> None:
        """Wait until there is enough, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._full.wait()

    def take(self, now: datetime) -> Batch:
        """All that waits."""
        batch = Batch(self._rows, self._refused)
        self._rows, self._refused = [], []
        self._full.clear()
        self._recent.age(now)
        return batch
