"""Carries ticks from the buffer to the database, and says how far it has come."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from strandline.feeds.heartbeat import beat
from strandline.feeds.session import Session
from strandline.feeds.tick_buffer import ROWS_AT_ONCE, TickBuffer
from strandline.feeds.writing import write_refused, write_ticks
from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage, TickRow

_log = logging.getLogger(__name__)
_SECONDS_AT_MOST: Final = 0.25
_SECONDS_PER_BEAT: Final = 0.5


class TickWriter:
    """Batches by size or age, each committed with the minutes that it touches; then the watermark follows."""

    def __init__(
        self,
        session: Session,
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        received_through: Callable[[], datetime | None],
        activity: Callable[[], Mapping[str, Any]],
    ) -> None:
        """`received_through` is the watermark of the buffer; `activity` is the status of each feed, by venue."""
        self._session = session
        self._buffer = buffer
        self._clock = clock
        self._received_through = received_through
        self._activity = activity
        self._started_at = clock()
        self._watermark: datetime | None = None
        self._in_hand = 0
        self._stored = 0
        self._lag: float | None = None
        self._dropped = 0
        self._stopping = False

    @property
    def unwritten(self) -> int:
        """Ticks that were heard and are not committed."""
        return self._in_hand + self._buffer.waiting

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping = True

    async def run(self) -> None:
        """Until it is stopped; a database that is away is waited for."""
        loop = asyncio.get_running_loop()
        next_beat = loop.time()
        while not self._stopping or self._buffer.waiting:
            await self._buffer.fill(_SECONDS_AT_MOST)
            await self._empty()
            if loop.time() >= next_beat:
                next_beat = loop.time() + _SECONDS_PER_BEAT
                await self._beat()
        await self._beat()
        await self._session.close()

    async def _empty(self) -> None:
        """All that was told up to this moment is in the batch: once that is committed, the watermark may say so."""
        through = self._received_through()
        batch = self._buffer.take(self._clock())
        self._in_hand = len(batch.rows)
        for first in range(0, len(batch.rows), ROWS_AT_ONCE):
            await self._session.do(partial(self._write, batch.rows[first : first + ROWS_AT_ONCE]))
        if batch.refused:
            await self._session.do(partial(self._quarantine, batch.refused))
        self._watermark = through

    async def _write(self, rows: list[TickRow], connection: Connection, first_time: bool) -> None:
        now = self._clock()
        self._stored += await write_ticks(connection, rows, now, anew=first_time)
        self._in_hand -= len(rows)
        self._lag = (now - max(row[0] for row in rows)).total_seconds()

    async def _quarantine(self, refused: list[QuarantinedMessage], connection: Connection, _: bool) -> None:
        await write_refused(connection, refused, self._clock())

    async def _beat(self) -> None:
        dropped = self._buffer.counts.dropped.total()
        if dropped > self._dropped:
            _log.error("%d ticks came while there was no room for them, and are missing", dropped - self._dropped)
            self._dropped = dropped
        await self._session.do(self._tell)

    async def _tell(self, connection: Connection, _: bool) -> None:
        counts = self._buffer.counts
        details = {
            "stored": self._stored,
            "doubles": counts.doubles,
            "refused": counts.refused,
            "dropped": counts.dropped.total(),
            "dropped_by_instrument": {str(number): count for number, count in counts.dropped.items()},
            "waiting": self._buffer.waiting,
            "lag_seconds": self._lag,
            "feeds": self._activity(),
        }
        await beat(
            connection,
            now=self._clock(),
            started_at=self._started_at,
            watermark=self._watermark,
            details=details,
        )
