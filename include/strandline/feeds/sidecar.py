"""The sidecar process: streams the subscribed market data into the database until it is stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from strandline.feeds.metrics import render
from strandline.feeds.session import Session
from strandline.feeds.shard import SidecarName
from strandline.feeds.spool import Spool
from strandline.feeds.subscriptions import OnNewInstruments, SubscriptionManager
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_writer import Received, TickWriter
from strandline.store.connect_async import Connection
from strandline.venues.feed import Feed

# A venue sends a trade some time after it happened; one that takes longer than this may miss its bar.
_DELIVERY_DELAY: Final = timedelta(seconds=2)
_WRITING_SESSIONS: Final = 2
_DRAIN_TIMEOUT: Final = 20.0
_CLOSE_TIMEOUT: Final = 2.0


class Sidecar:
    """One event loop: the feeds fill the buffer, the writer drains it, the subscription manager steers the feeds."""

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[Connection]],
        buffer: TickBuffer,
        feeds: Sequence[Feed],
        clock: Callable[[], datetime],
        on_new_instruments: OnNewInstruments,
        name: SidecarName = SidecarName(),  # noqa: B008  frozen
        spool: Spool | None = None,
    ) -> None:
        """`buffer` must be the sink of all feeds."""
        self._feeds = feeds
        self._name = name
        sessions = [Session(open_connection) for _ in range(_WRITING_SESSIONS)]
        self._subscriptions = SubscriptionManager(
            Session(open_connection), feeds, buffer, clock, on_new_instruments, name.shard
        )
        self._writer = TickWriter(sessions, buffer, clock, self._received, self._feed_status, name, spool=spool)

    async def run(self, stop: asyncio.Event) -> int:
        """Run until `stop` is set, then commit what was received; returns how many ticks could not be committed.

        Raises `ReplacedError`, in a group, if another process is started with the same name.
        """
        async with asyncio.TaskGroup() as tasks:
            runs = [self._subscriptions.run(), *(feed.run() for feed in self._feeds)]
            sources = [tasks.create_task(run) for run in runs]
            writer = tasks.create_task(self._writer.run())
            await stop.wait()
            for source in sources:
                source.cancel()
            await asyncio.wait(sources)
            self._writer.stop()
            await asyncio.wait([writer], timeout=_DRAIN_TIMEOUT if self._writer.uncommitted else _CLOSE_TIMEOUT)
            writer.cancel()
        self._writer.keep_rest()
        return self._writer.uncommitted

    def metrics(self) -> str:
        """The counters in Prometheus' text format."""
        return render(self._name, self._writer.details())

    def _received(self) -> Received:
        """The watermark of the slowest feed, and what is streamed; both allow for the delivery delay."""
        received = [feed.received_through for feed in self._feeds]
        known = [moment for moment in received if moment is not None]
        streamed = {number: since for feed in self._feeds for number, since in feed.streamed_since.items()}
        return Received(
            min(known) - _DELIVERY_DELAY if known and len(known) == len(received) else None,
            {number: since + _DELIVERY_DELAY for number, since in streamed.items()},
        )

    def _feed_status(self) -> dict[str, Any]:
        return {str(feed.venue): feed.status._asdict() for feed in self._feeds}
