"""Commits the ticks of one flush, two batches at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from strandline.feeds.dirty_minutes import DirtyMinutes
from strandline.feeds.session import Session
from strandline.feeds.tick_store import insert_ticks
from strandline.model.instants import from_microseconds
from strandline.store.connect_async import Connection
from strandline.venues.packed_ticks import PackedTicks, join

BATCH_ROWS: Final = 5_000
"""A full batch, which is written without further delay."""


class TickCommits:
    """While one session waits for its commit, or for this process, the server works for the other.

    Ticks of a flush have different keys, so neither waits for the other's.
    """

    def __init__(self, sessions: Sequence[Session], clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._clock = clock
        self._dirty = DirtyMinutes(clock)
        self.unconfirmed = join([])
        """The ticks of a flush that is not over: some may be committed."""
        self.in_flight = 0
        self.stored = 0
        self.lag: timedelta | None = None

    def take(self, ticks: PackedTicks) -> None:
        """These are in flight from now on, though something else may have to be committed before them."""
        self.unconfirmed = ticks
        self.in_flight = len(ticks)

    async def commit(self) -> None:
        """Return when all that was taken is committed; waits for a database that is down."""
        ticks = self.unconfirmed
        batches = (ticks[first : first + BATCH_ROWS] for first in range(0, len(ticks), BATCH_ROWS))
        needed = self._sessions if len(ticks) > BATCH_ROWS else self._sessions[:1]
        async with asyncio.TaskGroup() as tasks:
            for session in needed:
                tasks.create_task(self._work(session, batches))
        self.unconfirmed = join([])

    async def close(self) -> None:
        """Close the sessions."""
        for session in self._sessions:
            await session.close()

    async def _work(self, session: Session, batches: Iterator[PackedTicks]) -> None:
        """Commit batch after batch until none is left."""
        for batch in batches:
            await session.run(partial(self._store, batch))

    async def _store(self, ticks: PackedTicks, connection: Connection) -> None:
        now = self._clock()
        stored = await insert_ticks(connection, ticks, now, self._dirty)
        self.stored += stored
        self.in_flight -= len(ticks)
        self.lag = now - from_microseconds(int(ticks["ts"].max()))
