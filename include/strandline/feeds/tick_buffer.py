"""The buffer between feeds and database: accepts ticks without waiting and holds them until they are written."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec

from strandline.feeds.dedup import DuplicateFilter
from strandline.model.venue import VenueKey
from strandline.venues.feed import QuarantinedMessage, TickRow

BATCH_ROWS: Final = 5_000
"""A full batch, which is written without further delay."""
_MAX_ROWS: Final = 200_000
_MAX_QUARANTINED: Final = 1_000


class Batch(NamedTuple):
    """Ticks and messages drained from the buffer."""

    rows: list[TickRow]
    quarantined: list[QuarantinedMessage]
    dropped: Mapping[tuple[int, datetime], int]
    """How many ticks were dropped, by instrument and minute."""


@dataclass
class Counts:
    """The numbers of received ticks and messages by outcome, since the start."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    quarantine_overflow: int = 0
    """Quarantined messages that were only counted, because there were too many to store."""
    dropped: Counter[int] = field(default_factory=Counter)
    """Dropped ticks by instrument."""


class TickBuffer:
    """A `Sink` of bounded size. When it is full, ticks are dropped and counted; it never blocks a socket."""

    def __init__(self, max_rows: int = _MAX_ROWS, max_quarantined: int = _MAX_QUARANTINED) -> None:
        self.counts = Counts()
        self._max_rows = max_rows
        self._max_quarantined = max_quarantined
        self._rows: list[TickRow] = []
        self._quarantined: list[QuarantinedMessage] = []
        self._dropped: Counter[tuple[int, datetime]] = Counter()
        self._seen = DuplicateFilter()
        self._begin = self._end = datetime.max.replace(tzinfo=UTC)
        self._full = asyncio.Event()

    @property
    def pending(self) -> int:
        """Ticks that were not drained yet."""
        return len(self._rows)

    def accept_days(self, first: date, last: date) -> None:
        """Accept ticks of these days, which have partitions: a tick of another day would fail its whole batch."""
        self._begin = datetime.combine(first, time(), UTC)
        self._end = datetime.combine(last, time(), UTC) + timedelta(days=1)

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Add each tick that is new, can be stored, and has room."""
        for row in rows:
            key = row[:3]
            if key in self._seen:
                self.counts.duplicates += 1
            elif not self._begin <= row[0] < self._end:
                reason = "its time lies outside of the days that are stored"
                self.quarantine(QuarantinedMessage(venue, "time", reason, msgspec.json.encode(row), row[1]))
            elif len(self._rows) >= self._max_rows:
                self._drop(row)
            else:
                self._seen.add(key)
                self._rows.append(row)
                self.counts.accepted += 1
        if len(self._rows) >= BATCH_ROWS:
            self._full.set()

    def quarantine(self, message: QuarantinedMessage) -> None:
        """Count the message, and keep it unless there are too many."""
        self.counts.quarantined += 1
        if len(self._quarantined) < self._max_quarantined:
            self._quarantined.append(message)
        else:
            self.counts.quarantine_overflow += 1

    def _drop(self, row: TickRow) -> None:
        """Count the tick, and its minute as incomplete."""
        self.counts.dropped[row[1]] += 1
        self._dropped[row[1], row[0].replace(second=0, microsecond=0)] += 1

    async def wait_for_batch(self, seconds: float) -> None:
        """Wait for a full batch, at most this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._full.wait()

    def drain(self, now: datetime) -> Batch:
        """Take out everything."""
        batch = Batch(self._rows, self._quarantined, self._dropped)
        self._rows, self._quarantined, self._dropped = [], [], Counter()
        self._full.clear()
        self._seen.expire(now)
        return batch
