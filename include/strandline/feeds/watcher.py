"""Keeps the feeds on the tokens that are wanted, and the instruments and partitions there for their ticks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from strandline.feeds.instruments import known_instruments, register
from strandline.feeds.session import Session
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.watch_set import always_watched, traded_tokens
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.store.partitions import days_around
from strandline.venues.feed import Feed, FeedError

_log = logging.getLogger(__name__)
_CHANNEL: Final = "strandline_positions"
_SECONDS_BETWEEN: Final = 30.0
_SECONDS_AFTER_TROUBLE: Final = 5.0

InitialBackfill = Callable[[VenueKey, Mapping[str, int]], None]


class Watcher:
    """Looks at once when the rows change, and every half minute in any case."""

    def __init__(
        self,
        session: Session,
        feeds: Sequence[Feed],
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        newcomers: InitialBackfill,
    ) -> None:
        """`newcomers` is told of instruments when they are watched for the first time."""
        self._session = session
        self._feeds = feeds
        self._buffer = buffer
        self._clock = clock
        self._newcomers = newcomers
        self._look = asyncio.Event()
        self._day: date | None = None
        self._listed: set[VenueKey] = set()
        self._watched: set[int] = set()
        self._unknown: set[tuple[VenueKey, str]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            await self._session.do(self._watch)
        finally:
            await self._session.close()

    async def _watch(self, connection: Connection, _: bool) -> None:
        await connection.add_listener(_CHANNEL, self._notified)
        connection.add_termination_listener(self._notified)
        while True:
            self._look.clear()
            await self._keep_days(connection)
            well = await self._follow(connection)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_BETWEEN if well else _SECONDS_AFTER_TROUBLE):
                    await self._look.wait()

    def _notified(self, *_: Any) -> None:  # noqa: ANN401  asyncpg says what we do not need to know
        self._look.set()

    async def _keep_days(self, connection: Connection) -> None:
        today = self._clock().date()
        if today != self._day:
            first, last = days_around(today)
            await connection.execute("SELECT ensure_tick_partitions($1, $2)", first, last)
            self._buffer.store_days(first, last)
            self._day = today

    async def _follow(self, connection: Connection) -> bool:
        """Whether everything went well."""
        rows = await traded_tokens(connection)
        well = True
        for feed in self._feeds:
            wanted = rows.get(feed.venue, frozenset()) | always_watched(feed.venue)
            try:
                await self._point(connection, feed, wanted)
            except FeedError as error:
                _log.warning("%s", error)
                well = False
        for venue in rows.keys() - {feed.venue for feed in self._feeds}:
            self._say_unknown(venue, rows[venue])
        return well

    async def _point(self, connection: Connection, feed: Feed, wanted: frozenset[str]) -> None:
        """What is known already is watched even while the venue's listing cannot be had."""
        known = await known_instruments(connection, feed.venue)
        try:
            if feed.venue not in self._listed or not wanted <= known.keys():
                await register(connection, feed.venue, await feed.listings(wanted))
                self._listed.add(feed.venue)
                known = await known_instruments(connection, feed.venue)
                self._say_unknown(feed.venue, wanted - known.keys())
        finally:
            watched = {token: known[token] for token in sorted(wanted & known.keys())}
            feed.subscribe(watched)
            self._welcome(feed.venue, watched)

    def _welcome(self, venue: VenueKey, watched: Mapping[str, int]) -> None:
        new = {token: number for token, number in watched.items() if number not in self._watched}
        self._watched.update(new.values())
        if new:
            self._newcomers(venue, new)

    def _say_unknown(self, venue: VenueKey, tokens: frozenset[str]) -> None:
        """Once each."""
        for token in sorted(tokens):
            if (venue, token) not in self._unknown:
                self._unknown.add((venue, token))
                _log.warning("there is no %s %s to be watched: no data for it", venue, token)
