"""Writes the buffered ticks to the database, and the heartbeat with the watermark."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from strandline.feeds.heartbeat import Heartbeat
from strandline.feeds.outages import Outages, record_dropped
from strandline.feeds.session import Session
from strandline.feeds.shard import SidecarName
from strandline.feeds.spool import Spool
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_commits import BATCH_ROWS, TickCommits
from strandline.feeds.tick_store import insert_quarantined
from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage
from strandline.venues.packed_ticks import PackedTicks

_log = logging.getLogger(__name__)
_FLUSH_SECONDS: Final = 0.25
_SPOOL_SECONDS: Final = 0.25
_SPOOL_ABOVE_ROWS: Final = 50_000
"""Ten seconds of heavy trading: a database that only restarts is back before."""
_SPOOL_ANYWAY_ROWS: Final = 3 * _SPOOL_ABOVE_ROWS
"""So many are spooled though the database takes some, six megabytes: it may not take them as fast as they come."""
_HEARTBEAT_SECONDS: Final = 0.5


class Received(NamedTuple):
    """What has reached the buffer: everything up to an instant, and since when without an interruption.

    `through` is None until every feed has proved something.
    """

    through: datetime | None
    streamed_since: Mapping[int, datetime]


class TickWriter:
    """Flushes by size or age: outages are committed, then the ticks with their dirty minutes, then the watermark."""

    def __init__(
        self,
        sessions: Sequence[Session],
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        received: Callable[[], Received],
        feed_status: Callable[[], Mapping[str, Any]],
        name: SidecarName,
        spool: Spool | None = None,
    ) -> None:
        """`received` says what is in the buffer, `feed_status` returns the feeds' own counters."""
        self._session = sessions[0]
        self._commits = TickCommits(sessions, clock)
        self._buffer = buffer
        self._clock = clock
        self._received = received
        self._feed_status = feed_status
        self._spool = spool
        self._heartbeat = Heartbeat(name, clock())
        self._outages = Outages(self._heartbeat)
        self._watermark: datetime | None = None
        self._dropped_logged = 0
        self._stopping = False

    @property
    def uncommitted(self) -> int:
        """Ticks that were received and are not committed."""
        return self._commits.in_flight + self._buffer.pending

    def stop(self) -> None:
        """Make `run` return once the buffer is empty."""
        self._stopping = True

    def keep_rest(self) -> None:
        """Spool what could not be committed, for the next process."""
        pending = self._buffer.pending
        rest = np.concatenate([self._commits.unconfirmed, self._buffer.oldest(pending)])
        if self._spool is not None and all(self._spool.append(batch) for batch in _batches(rest)):
            self._commits.in_flight = 0
            self._buffer.remove_oldest(pending, self._clock())

    async def run(self) -> None:
        """Flush until stopped; waits for a database that is down, and spools meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            spooling = tasks.create_task(self._keep_spooling())
            await self._write()
            spooling.cancel()

    async def _keep_spooling(self) -> None:
        """Empty a buffer that grows, whatever the flush waits for; one that is worked off is left alone for longer."""
        progress = before = (0, 0)
        while self._spool is not None:
            await asyncio.sleep(_SPOOL_SECONDS)
            before, progress = progress, (self._commits.stored, self._commits.in_flight)
            bound = _SPOOL_ABOVE_ROWS if progress == before else _SPOOL_ANYWAY_ROWS
            if self._buffer.pending >= bound:
                for batch in _batches(self._buffer.oldest(self._buffer.pending)):
                    if not self._spool.append(batch):
                        break
                    self._outages.saw(batch)
                    self._buffer.remove_oldest(len(batch), self._clock())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        next_heartbeat = loop.time()
        while not self._stopping or self._buffer.pending:
            if self._spool is None or not self._spool.ticks:
                await self._buffer.wait_for_batch(_FLUSH_SECONDS)
            # Nothing may be spooled between this look and the flush: the watermark would pass it.
            if self._spool is not None and len(spooled := self._spool.first()):
                await self._commit_spooled(self._spool, spooled)
            else:
                await self._flush()
            if loop.time() >= next_heartbeat:
                next_heartbeat = loop.time() + _HEARTBEAT_SECONDS
                await self._send_heartbeat()
        await self._send_heartbeat()
        await self._record_outages({})
        await self._commits.close()

    async def _commit_spooled(self, spool: Spool, ticks: PackedTicks) -> None:
        """They are older than what is buffered, and the watermark waits until none is left."""
        self._commits.take(ticks)
        _, streamed_since = self._received()
        self._outages.saw(self._buffer.oldest(self._buffer.pending))
        if self._outages.has_changed(streamed_since):
            await self._record_outages(streamed_since)
        await self._commits.commit()
        spool.remove_first()

    async def _flush(self) -> None:
        """Commit what is buffered. What is covered is read before the buffer is drained, so that it covers no more."""
        through, streamed_since = self._received()
        batch = self._buffer.drain(self._clock())
        self._commits.take(batch.ticks)
        self._outages.saw(batch.ticks)
        if self._outages.has_changed(streamed_since):
            await self._record_outages(streamed_since)
        if batch.dropped:
            await self._session.run(lambda connection: record_dropped(connection, batch.dropped))
        await self._commits.commit()
        if batch.quarantined:
            await self._session.run(partial(self._store_quarantined, batch.quarantined))
        self._watermark = through

    async def _record_outages(self, streamed_since: Mapping[int, datetime]) -> None:
        await self._session.run(lambda connection: self._outages.record(connection, streamed_since, self._clock()))

    async def _store_quarantined(self, messages: list[QuarantinedMessage], connection: Connection) -> None:
        await insert_quarantined(connection, messages, self._clock())

    async def _send_heartbeat(self) -> None:
        dropped = self._buffer.counts.dropped.total()
        if dropped > self._dropped_logged:
            _log.error("%d ticks were dropped because the buffer was full", dropped - self._dropped_logged)
            self._dropped_logged = dropped
        await self._session.run(self._store_heartbeat)

    def details(self) -> dict[str, Any]:
        """The counters, for heartbeat and metrics."""
        counts, lag, watermark = self._buffer.counts, self._commits.lag, self._watermark
        return {
            "stored": self._commits.stored,
            "duplicates": counts.duplicates,
            "quarantined": counts.quarantined,
            "quarantine_overflow": counts.quarantine_overflow,
            "dropped": counts.dropped.total(),
            "dropped_by_instrument": {str(number): count for number, count in counts.dropped.items()},
            "pending": self._buffer.pending,
            "spooled": self._spool.ticks if self._spool is not None else 0,
            "torn_batches": self._spool.torn if self._spool is not None else 0,
            "lag_seconds": lag.total_seconds() if lag is not None else None,
            "watermark_age_seconds": (self._clock() - watermark).total_seconds() if watermark is not None else None,
            "feeds": self._feed_status(),
        }

    async def _store_heartbeat(self, connection: Connection) -> None:
        details = self.details()
        now = self._clock()
        async with connection.transaction():
            last_beat_at = await self._heartbeat.hold(connection)
            await self._heartbeat.write(connection, now=now, watermark=self._watermark, details=details)
            await self._outages.review(connection, last_beat_at, now)


def _batches(ticks: PackedTicks) -> Iterator[PackedTicks]:
    return (ticks[first : first + BATCH_ROWS] for first in range(0, len(ticks), BATCH_ROWS))
