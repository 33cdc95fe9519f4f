"""The sidecar: streams what is wanted into the database until somebody ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from strandline.feeds.session import Session
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_writer import TickWriter
from strandline.feeds.watcher import InitialBackfill, Watcher
from strandline.store.connect_async import Connection
from strandline.venues.feed import Feed

# A trade is told by its venue some time after it happened: within this, or it comes too late for its bar.
_ON_ITS_WAY: Final = timedelta(seconds=2)
_SECONDS_TO_DRAIN: Final = 20.0
_SECONDS_TO_SAY_GOODBYE: Final = 2.0


class Sidecar:
    """One event loop; feeds fill the buffer, the writer empties it, the watcher points the feeds."""

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[Connection]],
        buffer: TickBuffer,
        feeds: Sequence[Feed],
        clock: Callable[[], datetime],
        newcomers: InitialBackfill,
    ) -> None:
        """The feeds tell the same buffer."""
        self._feeds = feeds
        self._watcher = Watcher(Session(open_connection), feeds, buffer, clock, newcomers)
        self._writer = TickWriter(Session(open_connection), buffer, clock, self._received_through, self._activity)

    async def run(self, end: asyncio.Event) -> int:
        """Until `end` is set; then what was heard is committed. How many ticks the database could not be given."""
        async with asyncio.TaskGroup() as tasks:
            runs = [self._watcher.run(), *(feed.run() for feed in self._feeds)]
            sources = [tasks.create_task(run) for run in runs]
            writer = tasks.create_task(self._writer.run())
            await end.wait()
            for source in sources:
                source.cancel()
            await asyncio.wait(sources)
            self._writer.stop()
            await asyncio.wait(
                [writer], timeout=_SECONDS_TO_DRAIN if self._writer.unwritten else _SECONDS_TO_SAY_GOODBYE
            )
            writer.cancel()
        return self._writer.unwritten

    def _received_through(self) -> datetime | None:
        """What happened up to then has been heard from all venues."""
        heard = [feed.received_through for feed in self._feeds]
        known = [moment for moment in heard if moment is not None]
        return min(known) - _ON_ITS_WAY if known and len(known) == len(heard) else None

    def _activity(self) -> dict[str, Any]:
        return {str(feed.venue): feed.status._asdict() for feed in self._feeds}
