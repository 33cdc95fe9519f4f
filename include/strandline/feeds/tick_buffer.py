"""The buffer between feeds and database: accepts ticks without waiting and holds them until they are written."""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec

from strandline.feeds.dedup import DuplicateFilter, tick_key
from strandline.feeds.quarantine import Quarantine
from strandline.feeds.tick_commits import BATCH_ROWS
from strandline.model.instants import from_microseconds, microseconds
from strandline.model.venue import VenueKey
from strandline.venues.feed import QuarantinedMessage, TickRow

_MAX_ROWS: Final = 200_000
_MAX_QUARANTINED: Final = 1_000
_ID_LIMIT: Final = 2**63
# The clocks of a venue and of this machine differ by less. A tick that is further ahead would enter a bar to come.
_MAX_AHEAD: Final = timedelta(seconds=5)


class Batch(NamedTuple):
    """Ticks and messages drained from the buffer."""

    rows: list[TickRow]
    quarantined: list[QuarantinedMessage]
    dropped: Mapping[tuple[int, datetime], int]
    """How many ticks were dropped or quarantined, by instrument and minute."""


@dataclass
class Counts:
    """The numbers of received ticks and messages by outcome, since the start."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    quarantine_overflow: int = 0
    """Quarantined messages that were only counted, because there were too many to store."""
    dropped: Counter[int] = field(default_factory=Counter)
    """Ticks by instrument for which there was no room."""


class TickBuffer:
    """A `Sink` of bounded size. When it is full, ticks are dropped and counted; it never blocks a socket."""

    def __init__(
        self, clock: Callable[[], datetime], max_rows: int = _MAX_ROWS, max_quarantined: int = _MAX_QUARANTINED
    ) -> None:
        self.counts = Counts()
        self._clock = clock
        self._max_rows = max_rows
        self._rows: list[TickRow] = []
        self._quarantine = Quarantine(clock, max_quarantined)
        self._dropped: Counter[tuple[int, datetime]] = Counter()
        self._seen = DuplicateFilter()
        self._begin = self._end = datetime.max.replace(tzinfo=UTC)
        self._full = asyncio.Event()
        self._first = self._limit = microseconds(self._begin)

    @property
    def pending(self) -> int:
        """Ticks that were not drained yet."""
        return len(self._rows)

    def accept_days(self, first: date, last: date) -> None:
        """Accept ticks of these days, which have partitions: a tick of another day would fail its whole batch."""
        self._begin = datetime.combine(first, time(), UTC)
        self._end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        self._first = self._limit = microseconds(self._begin)

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Add each tick that is new, can be, and has room."""
        begin, end = self._first, self._limit
        newer, older, kept, before = self._seen.newer, self._seen.older, self._rows, len(self._rows)
        for row in rows:
            ts, number, trade_id, price, size, _, _, _ = row
            if ts >= end:
                end = self._limit = microseconds(min(self._end, self._clock() + _MAX_AHEAD))
            if not (
                begin <= ts < end
                and 0 < price < math.inf
                and (size is None or 0 < size < math.inf)
                and 0 <= trade_id < _ID_LIMIT
            ):
                self._refuse(venue, row)
            elif (key := tick_key(ts, number, trade_id)) in newer or key in older:
                self.counts.duplicates += 1
            elif len(kept) >= self._max_rows:
                self.counts.dropped[number] += 1
                self._miss(number, from_microseconds(ts))
            else:
                newer.add(key)
                kept.append(row)
        self.counts.accepted += len(kept) - before
        if len(self._rows) >= BATCH_ROWS:
            self._full.set()

    def quarantine(self, message: QuarantinedMessage) -> None:
        """Count the message, and keep it unless there are too many; the minute of a trade is incomplete."""
        self.counts.quarantined += 1
        if message.instrument_id is not None and message.ts is not None:
            self._miss(message.instrument_id, message.ts)
        if not self._quarantine.add(message):
            self.counts.quarantine_overflow += 1

    def _refuse(self, venue: VenueKey, row: TickRow) -> None:
        """Quarantine a tick that cannot be."""
        ts = from_microseconds(row[0])
        payload = msgspec.json.encode((ts, *row[1:]))
        self.quarantine(QuarantinedMessage(venue, "tick", self._fault(ts, row), payload, row[1], ts))

    def _fault(self, ts: datetime, row: TickRow) -> str:
        """What is wrong with it."""
        _, _, trade_id, price, size, *_ = row
        ahead = ts - self._clock()
        if not self._begin <= ts < self._end:
            return "its time lies outside of the days that are stored"
        if ahead >= _MAX_AHEAD:
            return f"its time is {ahead.total_seconds():.1f} seconds ahead of this machine's clock"
        if not 0 < price < math.inf:
            return "its price is not a positive number"
        if size is not None and not 0 < size < math.inf:
            return "its size is not a positive number"
        return "its id is negative" if trade_id < 0 else "its id is too large"

    def _miss(self, instrument_id: int, ts: datetime) -> None:
        """Count a tick of this minute as missing; a time that cannot be says nothing, and stands for now."""
        now = self._clock()
        moment = ts if self._begin <= ts < now + _MAX_AHEAD else now
        self._dropped[instrument_id, moment.replace(second=0, microsecond=0)] += 1

    async def wait_for_batch(self, seconds: float) -> None:
        """Wait for a full batch, at most this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._full.wait()

    def oldest(self, count: int) -> list[TickRow]:
        """Those that have waited longest, at most so many."""
        return self._rows[:count]

    def remove_oldest(self, count: int, now: datetime) -> None:
        """Take those out, because they are kept elsewhere."""
        del self._rows[:count]
        self._full.clear()
        self._seen.expire(now)

    def drain(self, now: datetime) -> Batch:
        """Take out everything."""
        batch = Batch(self._rows, self._quarantine.drain(), self._dropped)
        self._rows, self._dropped = [], Counter()
        self._full.clear()
        self._seen.expire(now)
        return batch
