"""Writes the buffered ticks to the database, and the heartbeat with the watermark."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from strandline.feeds.heartbeat import Heartbeat
from strandline.feeds.outages import Outages, record_dropped
from strandline.feeds.session import Session
from strandline.feeds.shard import SidecarName
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_commits import TickCommits
from strandline.feeds.tick_store import insert_quarantined
from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage

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
        sessions: Sequence[Session],
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        received: Callable[[], Received],
        feed_status: Callable[[], Mapping[str, Any]],
        name: SidecarName,
    ) -> None:
        """`received` says what is in the buffer, `feed_status` returns the feeds' own counters."""
        self._session = sessions[0]
        self._commits = TickCommits(sessions, clock)
        self._buffer = buffer
        self._clock = clock
        self._received = received
        self._feed_status = feed_status
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
        await self._commits.close()

    async def _flush(self) -> None:
        """Commit what is buffered. What is covered is read before the buffer is drained, so that it covers no more."""
        through, streamed_since = self._received()
        batch = self._buffer.drain(self._clock())
        self._commits.take(batch.rows)
        self._outages.saw(batch.rows)
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
