"""Batches that are committed at the same time are all stored and counted."""

import asyncio
from datetime import timedelta

from strandline.feeds.session import Session
from strandline.feeds.tick_commits import BATCH_ROWS, TickCommits
from strandline.model.instants import microseconds
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.packed_ticks import pack
from tests.conftest import Database
from tests.feeds.environment import START


def test_a_large_flush_is_stored_and_counted_and_all_of_its_minutes_are_dirty(database: Database) -> None:
    begin, count = microseconds(START), 5 * BATCH_ROWS // 2
    ticks = [(begin + number * 10_000, 1 + number % 3, number, 1.5, 2.0, b"b", b"t", b"s") for number in range(count)]

    async def inside() -> None:
        sessions = [Session(lambda: connect_async(database.url, Role.INGEST)) for _ in range(2)]
        commits = TickCommits(sessions, lambda: START + timedelta(minutes=5))
        commits.take(pack(ticks))
        assert commits.in_flight == count
        await commits.commit()
        assert (commits.stored, commits.in_flight) == (count, 0)
        commits.take(pack(ticks[-10:]))
        await commits.commit()
        assert commits.stored == count
        assert commits.lag == timedelta(minutes=5, microseconds=begin - ticks[-1][0])
        await commits.close()

    with database.session() as session:
        session.exec_driver_sql("SELECT ensure_tick_partitions(%s, %s)", (START.date(), START.date()))
    asyncio.run(inside())
    with database.session() as session:
        stored, minutes = session.exec_driver_sql(
            "SELECT (SELECT count(*) FROM ticks), (SELECT count(DISTINCT d) FROM dirty_minutes d)"
        ).one()
    assert (stored, minutes) == (count, 3 * len({ts // 60_000_000 for ts, *_ in ticks}))
