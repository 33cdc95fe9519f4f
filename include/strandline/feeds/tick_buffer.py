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

from strandline.feeds.dedup import DuplicateFilter
from strandline.feeds.quarantine import Quarantine
from strandline.feeds.tick_commits import BATCH_ROWS
from strandline.model.instants import from_microseconds, microseconds
from strandline.model.venue import VenueKey
from strandline.venues.feed import QuarantinedMessage, TickRow
from strandline.venues.packed_ticks import KEY_BYTES, PackedTicks, join, keys, pack_row, unpack

_MAX_ROWS: Final = 500_000
"""Twenty megabytes: what may come while the buffer is not looked at, above what is spooled in any case."""
_MAX_QUARANTINED: Final = 1_000
_MANY: Final = 8
"""Of so many it takes less time to look at all at once."""
_ID_LIMIT: Final = 2**63
# The clocks of a venue and of this machine differ by less. A tick that is further ahead would enter a bar to come.
_MAX_AHEAD: Final = timedelta(seconds=5)


class Batch(NamedTuple):
    """Ticks and messages drained from the buffer."""

    ticks: PackedTicks
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
        self._ticks: list[bytes] = []
        self._pending = 0
        self._quarantine = Quarantine(clock, max_quarantined)
        self._dropped: Counter[tuple[int, datetime]] = Counter()
        self._seen = DuplicateFilter()
        self._begin = self._end = datetime.max.replace(tzinfo=UTC)
        self._full = asyncio.Event()
        self._first = self._limit = microseconds(self._begin)

    @property
    def pending(self) -> int:
        """Ticks that were not drained yet."""
        return self._pending

    def accept_days(self, first: date, last: date) -> None:
        """Accept ticks of these days, which have partitions: a tick of another day would fail its whole batch."""
        self._begin = datetime.combine(first, time(), UTC)
        self._end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        self._first = self._limit = microseconds(self._begin)

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Add each tick that is new, can be, and has room."""
        begin, end = self._first, self._limit
        newer, older, room = self._seen.newer, self._seen.older, self._max_rows - self._pending
        new: list[bytes] = []
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
            elif (key := (tick := pack_row(row))[:KEY_BYTES]) in newer or key in older:
                self.counts.duplicates += 1
            elif len(new) >= room:
                self.counts.dropped[number] += 1
                self._miss(number, from_microseconds(ts))
            else:
                newer.add(key)
                new.append(tick)
        self._ticks += new
        self._added(len(new))

    def add_packed(self, venue: VenueKey, ticks: PackedTicks) -> None:
        """Add all at once if each is new, can be and has room; otherwise, or if they are few, one by one."""
        if len(ticks) >= _MANY and self._can_all_be(ticks) and self._seen.add_new(keys(ticks)):
            self._ticks.append(ticks.tobytes())
            self._added(len(ticks))
        else:
            self.add_ticks(venue, unpack(ticks))

    def _can_all_be(self, ticks: PackedTicks) -> bool:
        """Whether none would be refused, or dropped. NaN compares as false."""
        ts, price, size = ticks["ts"], ticks["price"], ticks["size"]
        if ts.max() >= self._limit:
            self._limit = microseconds(min(self._end, self._clock() + _MAX_AHEAD))
        return bool(
            self._first <= ts.min()
            and ts.max() < self._limit
            and price.min() > 0
            and price.max() < math.inf
            and size.min() > 0
            and size.max() < math.inf
            and ticks["trade_id"].min() >= 0
            and self._pending + len(ticks) <= self._max_rows
        )

    def _added(self, count: int) -> None:
        self.counts.accepted += count
        self._pending += count
        if self._pending >= BATCH_ROWS:
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

    def oldest(self, count: int) -> PackedTicks:
        """Those that have waited longest, at most so many."""
        self._ticks = [b"".join(self._ticks)]
        return join(self._ticks)[:count]

    def remove_oldest(self, count: int, now: datetime) -> None:
        """Take those out, because they are kept elsewhere."""
        self._ticks = [join(self._ticks)[count:].tobytes()]
        self._pending -= count
        self._full.clear()
        self._seen.expire(now)

    def drain(self, now: datetime) -> Batch:
        """Take out everything."""
        batch = Batch(join(self._ticks), self._quarantine.drain(), self._dropped)
        self._ticks, self._pending, self._dropped = [], 0, Counter()
        self._full.clear()
        self._seen.expire(now)
        return batch
