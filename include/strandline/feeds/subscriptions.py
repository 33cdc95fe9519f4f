"""Keeps each feed subscribed to the tokens of its rows, with instruments and partitions ready for their ticks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from strandline.feeds.instruments import listed_instruments, upsert_instruments
from strandline.feeds.outages import delete_old_coverage
from strandline.feeds.quarantine import delete_old_messages
from strandline.feeds.session import Session
from strandline.feeds.shard import Shard
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.trading_sessions import CalendarError, refresh_calendars
from strandline.feeds.watch_set import always_watched, traded_tokens
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.store.partitions import days_around
from strandline.venues.feed import Feed, FeedError

_log = logging.getLogger(__name__)
_CHANNEL: Final = "strandline_positions"
_REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 5.0

OnNewInstruments = Callable[[VenueKey, Mapping[str, int]], None]
"""Called with a venue and the instrument ids of tokens that are subscribed to for the first time."""


class SubscriptionManager:
    """Refreshes as soon as the rows change, and every half minute in any case."""

    def __init__(
        self,
        session: Session,
        feeds: Sequence[Feed],
        buffer: TickBuffer,
        clock: Callable[[], datetime],
        on_new_instruments: OnNewInstruments,
        shard: Shard = Shard(),  # noqa: B008  frozen
    ) -> None:
        self._shard = shard
        self._session = session
        self._feeds = feeds
        self._buffer = buffer
        self._clock = clock
        self._on_new_instruments = on_new_instruments
        self._changed = asyncio.Event()
        self._day: date | None = None
        self._listed: set[VenueKey] = set()
        self._subscribed: set[int] = set()
        self._reported: set[tuple[VenueKey, str]] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            await self._session.run(self._refresh_forever)
        finally:
            await self._session.close()

    async def _refresh_forever(self, connection: Connection) -> None:
        await connection.add_listener(_CHANNEL, self._notified)
        connection.add_termination_listener(self._notified)
        while True:
            self._changed.clear()
            await self._begin_day(connection)
            complete = await self._refresh(connection)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_SECONDS if complete else _RETRY_SECONDS):
                    await self._changed.wait()

    def _notified(self, *_: Any) -> None:  # noqa: ANN401  asyncpg passes what changed, which is read again anyway
        self._changed.set()

    async def _begin_day(self, connection: Connection) -> None:
        """Make partitions, extend calendars, and delete what is not kept any longer."""
        now = self._clock()
        today = now.date()
        if today != self._day:
            first, last = days_around(today)
            await connection.execute("SELECT ensure_tick_partitions($1, $2)", first, last)
            self._buffer.accept_days(first, last)
            await delete_old_messages(connection, now)
            await delete_old_coverage(connection, now)
            try:
                await refresh_calendars(connection)
            except CalendarError as error:
                _log.warning("%s", error)
            self._day = today

    async def _refresh(self, connection: Connection) -> bool:
        """Bring all subscriptions up to date; returns whether every venue answered."""
        rows = await traded_tokens(connection)
        complete = True
        for feed in self._feeds:
            every = rows.get(feed.venue, frozenset()) | always_watched(feed.venue)
            wanted = frozenset(token for token in every if self._shard.owns(feed.venue, token))
            try:
                await self._subscribe(connection, feed, wanted)
            except (FeedError, CalendarError) as error:
                _log.warning("%s", error)
                complete = False
        for venue in rows.keys() - {feed.venue for feed in self._feeds}:
            self._report_unknown(venue, rows[venue])
        return complete

    async def _subscribe(self, connection: Connection, feed: Feed, wanted: frozenset[str]) -> None:
        """Subscribe one feed: first to what is known, which needs no answer of the venue, then to what it lists."""
        known = await listed_instruments(connection, feed.venue)
        if known or not wanted:
            self._subscribe_known(feed, wanted, known)
        if feed.venue not in self._listed or not wanted <= known.keys():
            await upsert_instruments(connection, feed.venue, await feed.listings(wanted))
            self._listed.add(feed.venue)
            known = await listed_instruments(connection, feed.venue)
            self._report_unknown(feed.venue, wanted - known.keys())
            self._subscribe_known(feed, wanted, known)

    def _subscribe_known(self, feed: Feed, wanted: frozenset[str], known: Mapping[str, int]) -> None:
        subscribed = {token: known[token] for token in sorted(wanted & known.keys())}
        feed.subscribe(subscribed)
        self._announce_new(feed.venue, subscribed)

    def _announce_new(self, venue: VenueKey, subscribed: Mapping[str, int]) -> None:
        new = {token: number for token, number in subscribed.items() if number not in self._subscribed}
        self._subscribed.update(new.values())
        if new:
            self._on_new_instruments(venue, new)

    def _report_unknown(self, venue: VenueKey, tokens: frozenset[str]) -> None:
        """Log each token once."""
        for token in sorted(tokens):
            if (venue, token) not in self._reported:
                self._reported.add((venue, token))
                _log.warning("%s does not list %s: there will be no data for its rows", venue, token)
