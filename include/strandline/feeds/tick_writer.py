"""Writes the buffered ticks to the database, and the heartbeat with the watermark."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from strandline.feeds.dirty_minutes import DirtyMinutes
from strandline.feeds.heartbeat import write_heartbeat
from strandline.feeds.outages import Outages, record_dropped
from strandline.feeds.session import Session
from strandline.feeds.tick_buffer import BATCH_ROWS, TickBuffer
from strandline.feeds.tick_store import insert_quarantined, insert_ticks
from strandline.model.instants import from_microseconds
from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage, TickRow

_log = logging.getLogger(__name__)
_FLUSH_SECONDS: Final = 0.25
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
        session: Session,
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        received: Callable[[], Received],
        feed_status: Callable[[], Mapping[str, Any]],
    ) -> None:
        """`received` says what is in the buffer, `feed_status` returns the feeds' own counters."""
        self._session = session
        self._buffer = buffer
        self._clock = clock
        self._received = received
        self._feed_status = feed_status
        self._started_at = clock()
        self._outages = Outages()
        self._dirty = DirtyMinutes(clock)
        self._watermark: datetime | None = None
        self._in_flight = 0
        self._stored = 0
        self._lag: float | None = None
        self._dropped_logged = 0
        self._stopping = False

    @property
    def uncommitted(self) -> int:
        """Ticks that were received and are not committed."""
        return self._in_flight + self._buffer.pending

    def stop(self) -> None:
        """Make `run` return once the buffer is empty."""
        self._stopping = True

    async def run(self) -> None:
        """Flush until stopped; waits for a database that is down."""
        loop = asyncio.get_running_loop()
        next_heartbeat = loop.time()
        while not self._stopping or self._buffer.pending:
            await self._buffer.wait_for_batch(_FLUSH_SECONDS)
            await self._flush()
            if loop.time() >= next_heartbeat:
                next_heartbeat = loop.time() + _HEARTBEAT_SECONDS
                await self._send_heartbeat()
        await self._send_heartbeat()
        await self._record_outages({})
        await self._session.close()

    async def _flush(self) -> None:
        """Commit what is buffered. What is covered is read before the buffer is drained, so that it covers no more."""
        through, streamed_since = self._received()
        batch = self._buffer.drain(self._clock())
        self._in_flight = len(batch.rows)
        self._outages.saw(batch.rows)
        if self._outages.has_changed(streamed_since):
            await self._record_outages(streamed_since)
        if batch.dropped:
            await self._session.run(lambda connection: record_dropped(connection, batch.dropped))
        for first in range(0, len(batch.rows), BATCH_ROWS):
            await self._session.run(partial(self._store_ticks, batch.rows[first : first + BATCH_ROWS]))
        if batch.quarantined:
            await self._session.run(partial(self._store_quarantined, batch.quarantined))
        self._watermark = through

    async def _record_outages(self, streamed_since: Mapping[int, datetime]) -> None:
        await self._session.run(lambda connection: self._outages.record(connection, streamed_since))

    async def _store_ticks(self, rows: list[TickRow], connection: Connection) -> None:
        now = self._clock()
        self._stored += await insert_ticks(connection, rows, now, self._dirty)
        self._in_flight -= len(rows)
        self._lag = (now - from_microseconds(max(row[0] for row in rows))).total_seconds()

    async def _store_quarantined(self, messages: list[QuarantinedMessage], connection: Connection) -> None:
        await insert_quarantined(connection, messages, self._clock())

    async def _send_heartbeat(self) -> None:
        dropped = self._buffer.counts.dropped.total()
        if dropped > self._dropped_logged:
            _log.error("%d ticks were dropped because the buffer was full", dropped - self._dropped_logged)
            self._dropped_logged = dropped
        await self._session.run(self._store_heartbeat)

    async def _store_heartbeat(self, connection: Connection) -> None:
        counts = self._buffer.counts
        details = {
            "stored": self._stored,
            "duplicates": counts.duplicates,
            "quarantined": counts.quarantined,
            "quarantine_overflow": counts.quarantine_overflow,
            "dropped": counts.dropped.total(),
            "dropped_by_instrument": {str(number): count for number, count in counts.dropped.items()},
            "pending": self._buffer.pending,
            "lag_seconds": self._lag,
            "feeds": self._feed_status(),
        }
        await self._outages.close(connection)
        await write_heartbeat(
            connection,
            now=self._clock(),
            started_at=self._started_at,
            watermark=self._watermark,
            details=details,
        )
