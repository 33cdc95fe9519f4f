"""The watermark never falls and never passes the slowest feed; what is pending at the end is still committed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from sqlalchemy import URL

from strandline.feeds import subscriptions, tick_writer
from strandline.feeds.dirty_minutes import DirtyMinutes
from strandline.feeds.heartbeat import Heartbeat
from strandline.feeds.session import Session
from strandline.feeds.shard import SidecarName
from strandline.feeds.sidecar import Sidecar
from strandline.feeds.subscriptions import SubscriptionManager
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_store import insert_ticks
from strandline.feeds.tick_writer import Received, TickWriter
from strandline.model.instants import microseconds
from strandline.model.venue import VenueKey
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.feed import FeedStatus, Listing, TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Database
from tests.feeds.environment import START, until

SECOND = timedelta(seconds=1)


class FeedAt:
    """A feed without a venue, which has received everything up to an instant that the test sets."""

    status = FeedStatus(connected=True, subscribed=0, messages=0, reconnects=0)

    def __init__(self, venue: VenueKey, received_through: datetime | None) -> None:
        self.venue = venue
        self.received_through = received_through
        self.streamed_since: Mapping[int, datetime] = {}
        self.subscriptions: Mapping[str, int] | None = None

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        return []

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        self.subscriptions = tokens

    async def run(self) -> None:
        await asyncio.Event().wait()


def tick(number: int) -> TickRow:
    """A trade with this id."""
    return (microseconds(START), 1, number, 1.5, 2.0, b"b", b"t", b"s")


def connecting(database: Database) -> Callable[[], Awaitable[Any]]:
    """Opens a connection as the sidecar does."""
    return partial(connect_async, database.url, Role.INGEST)


def stored(url: URL, statement: str) -> Any:
    """The single value that a statement selects."""

    async def inside() -> Any:
        connection = await connect_async(url, Role.INGEST)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(inside())


def test_the_slowest_feed_holds_the_watermark(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that has received nothing holds it too: there is none yet."""
    monkeypatch.setattr(tick_writer, "_HEARTBEAT_SECONDS", 0.02)
    fast, slow = FeedAt(HYPERLIQUID_PERPS, START), FeedAt(SOLANA_ONCHAIN, None)
    ticking = count()

    async def inside() -> list[datetime | None]:
        stop = asyncio.Event()
        connection = await connecting(database)()

        async def watermark() -> datetime | None:
            """As a later heartbeat has it: the next one may have been on its way already."""
            beats: dict[datetime, datetime | None] = {}
            async with asyncio.timeout(30):
                while len(beats) < 4:
                    beats |= await connection.fetch("SELECT beat_at, watermark FROM heartbeats")
                    await asyncio.sleep(0.005)
            return beats[max(beats)]

        sidecar = Sidecar(
            connecting(database),
            TickBuffer(lambda: START),
            [fast, slow],
            lambda: START + next(ticking) * SECOND,
            lambda *_: None,
        )
        run = asyncio.create_task(sidecar.run(stop))
        watermarks = [await watermark()]
        for received_through in (START - 10 * SECOND, START + 10 * SECOND):
            slow.received_through = received_through
            watermarks.append(await watermark())
        stop.set()
        assert await run == 0
        await connection.close()
        return watermarks

    delay = 2 * SECOND
    assert asyncio.run(inside()) == [None, START - 10 * SECOND - delay, START - delay]


def test_the_watermark_never_falls(database: Database) -> None:
    async def inside() -> list[datetime | None]:
        connection = await connecting(database)()
        watermarks = []
        for watermark in (None, START, START - SECOND, None, START + SECOND):
            heartbeat = Heartbeat(SidecarName(), START)
            await heartbeat.take_over(connection, START)
            await heartbeat.write(connection, now=START, watermark=watermark, details={})
            watermarks.append(await connection.fetchval("SELECT watermark FROM heartbeats"))
        await connection.close()
        return watermarks

    assert asyncio.run(inside()) == [None, START, START, START, START + SECOND]


def test_ticks_that_are_pending_when_the_writer_is_stopped_are_committed(database: Database) -> None:
    """The writer is stopped in the middle of a flush, with another tick in the buffer."""

    async def inside() -> None:
        reachable = asyncio.Event()
        opening = asyncio.Event()

        async def open_connection() -> Any:
            opening.set()
            await reachable.wait()
            return await connecting(database)()

        buffer = TickBuffer(lambda: START)
        buffer.accept_days(START.date(), START.date())
        writer = TickWriter(
            [Session(open_connection)], buffer, lambda: START, lambda: Received(START, {}), dict, SidecarName()
        )
        run = asyncio.create_task(writer.run())
        buffer.add_ticks(HYPERLIQUID_PERPS, [tick(1)])
        await opening.wait()
        buffer.add_ticks(HYPERLIQUID_PERPS, [tick(2)])
        writer.stop()
        reachable.set()
        async with asyncio.timeout(30):
            await run
        assert writer.uncommitted == 0

    with database.session() as session:
        session.exec_driver_sql("SELECT ensure_tick_partitions(%s, %s)", (START.date(), START.date()))
    asyncio.run(inside())
    assert stored(database.url, "SELECT array_agg(trade_id ORDER BY trade_id) FROM ticks") == [1, 2]


def test_the_sidecar_commits_what_it_received_before_it_ends(database: Database) -> None:
    async def inside() -> None:
        stop = asyncio.Event()
        buffer = TickBuffer(lambda: START)
        feed = FeedAt(HYPERLIQUID_PERPS, START)
        sidecar = Sidecar(connecting(database), buffer, [feed], lambda: START, lambda *_: None)
        run = asyncio.create_task(sidecar.run(stop))
        await until(lambda: feed.subscriptions is not None)
        buffer.add_ticks(HYPERLIQUID_PERPS, [tick(number) for number in range(100)])
        stop.set()
        assert await run == 0

    asyncio.run(inside())
    assert stored(database.url, "SELECT count(*) FROM ticks") == 100


def test_ticks_of_the_new_day_are_accepted_after_midnight(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a sidecar that runs for longer than partitions are made ahead."""
    monkeypatch.setattr(subscriptions, "_REFRESH_SECONDS", 0.02)

    async def inside() -> None:
        now = START
        buffer = TickBuffer(lambda: now)
        manager = SubscriptionManager(Session(connecting(database)), [], buffer, lambda: now, lambda *_: None)
        run = asyncio.create_task(manager.run())
        connection = await connecting(database)()
        for days in (0, 9, 30):
            now = START + timedelta(days=days)
            row: TickRow = (microseconds(now), 1, days, 1.5, 2.0, b"b", b"t", b"s")

            def accepted(row: TickRow = row) -> bool:
                buffer.add_ticks(HYPERLIQUID_PERPS, [row])
                return buffer.pending == 1

            await until(accepted)
            await insert_ticks(connection, buffer.drain(now).ticks, now, DirtyMinutes(lambda: START))
        await connection.close()
        run.cancel()
        await asyncio.wait([run])

    asyncio.run(inside())
    assert stored(database.url, "SELECT count(*) FROM ticks") == 3
