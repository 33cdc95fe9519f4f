"""The database goes away and comes back, or does not say whether it did something: nothing that was heard is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool

from strandline.feeds import sidecar as sidecar_module
from strandline.feeds.session import Session
from strandline.feeds.writing import write_ticks
from strandline.store.connect_async import connect_async
from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from strandline.venues.feed import TickRow
from tests.conftest import Database
from tests.feeds.box import BEGIN, Box, listening, opened, until
from tests.feeds.test_sidecar import all_stored


@pytest.mark.slow
def test_a_database_that_restarts_gets_everything_that_was_heard_meanwhile(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    async def tell(box: Box) -> None:
        await box.streams()
        since = box.world.clock.now()
        await box.step(20)
        await asyncio.to_thread(postgres.stop)
        await box.step(30)
        await asyncio.to_thread(postgres.start)
        await box.step(20)
        await all_stored(box, since)
        # The rows are read again too, as soon as the server is back.
        box.add_row("DOGE")
        await box.streams("BTC", "ETH", "SOL", "HYPE", "BNB", "DOGE")

    async def inside() -> None:
        async with opened(make_url(postgres.url())) as box, listening(box):
            await tell(box)

    with postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        asyncio.run(inside())


@pytest.mark.slow
def test_what_a_dead_database_cannot_be_given_is_counted_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar_module, "_SECONDS_TO_DRAIN", 0.5)
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    async def inside() -> None:
        async with opened(make_url(postgres.url())) as box:
            with pytest.raises(AssertionError, match="ticks were not written"):
                async with listening(box):
                    await box.streams()
                    await box.step(5)
                    await asyncio.to_thread(postgres.stop)
                    await box.step(5)
                    await until(lambda: box.buffer.counts.taken > 0)

    with postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        asyncio.run(inside())


class Doubtful:
    """A connection that commits once, and breaks before it can say so."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            yield
        raise ConnectionResetError("the line broke")


def rows(*numbers: int, instrument: int = 1) -> list[TickRow]:
    """Ticks."""
    return [(BEGIN, instrument, number, 1.5, 2.0, b"b", b"t", b"s") for number in numbers]


async def prepared(url: URL) -> Any:
    connection = await connect_async(url, Role.INGEST)
    await connection.execute("SELECT ensure_tick_partitions($1, $1)", BEGIN.date())
    return connection


def test_a_commit_of_which_nobody_heard_is_not_done_twice(database: Database) -> None:
    async def inside() -> None:
        connections = [Doubtful(await prepared(database.url)), await prepared(database.url)]
        opening = iter(connections)

        async def open_connection() -> Any:
            return next(opening)

        session = Session(open_connection)
        assert await session.do(partial(_write, rows(1, 2, 3))) == 0
        assert await session.do(partial(_write, rows(3, 4))) == 1
        assert await connections[1].fetchval("SELECT array_agg(trade_id ORDER BY trade_id) FROM ticks") == [1, 2, 3, 4]
        await session.close()

    asyncio.run(inside())


def test_a_double_costs_its_batch_nothing(database: Database) -> None:
    async def inside() -> None:
        connection = await prepared(database.url)
        assert await write_ticks(connection, rows(1, 2), BEGIN, anew=True) == 2
        assert await write_ticks(connection, rows(2, 3) + rows(9, instrument=2), BEGIN, anew=True) == 2
        assert await connection.fetchval("SELECT count(*) FROM ticks") == 4
        dirty_minutes = await connection.fetch("SELECT DISTINCT * FROM dirty_minutes ORDER BY 1")
        assert [tuple(row) for row in dirty_minutes] == [(1, BEGIN), (2, BEGIN)]
        await connection.close()

    asyncio.run(inside())


def test_what_the_table_does_not_take_is_quarantined_and_what_follows_is_taken(database: Database) -> None:
    bad: TickRow = (BEGIN, 1, 1, 1.5, -1.0, b"b", b"t", b"s")

    async def inside() -> None:
        connection = await prepared(database.url)
        await connection.execute(
            "INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)"
            " VALUES ('hyperliquid', 'perps', 'BTC', 'BTC', 1, 1)"
        )
        for anew in (True, False):
            assert await write_ticks(connection, [*rows(5), bad], BEGIN, anew=anew) == 0
        assert await write_ticks(connection, rows(6), BEGIN, anew=True) == 1
        found = await connection.fetch("SELECT token_chain, instrument_id, reason FROM quarantined_messages")
        assert len(found) == 4
        assert all(row["token_chain"] == "hyperliquid" and "size" in row["reason"] for row in found)
        await connection.close()

    asyncio.run(inside())


async def _write(batch: list[TickRow], connection: Any, first_time: bool) -> int:
    return await write_ticks(connection, batch, BEGIN, anew=first_time)
