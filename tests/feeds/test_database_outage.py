"""The database stops and comes back, or a commit is never confirmed: no tick that was received is lost or doubled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool

from strandline.feeds import sidecar as sidecar_module
from strandline.feeds.dirty_minutes import DirtyMinutes
from strandline.feeds.session import Session
from strandline.feeds.spool import Spool
from strandline.feeds.tick_store import insert_ticks
from strandline.model.instants import microseconds
from strandline.store.connect_async import connect_async
from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from strandline.venues.feed import TickRow
from strandline.venues.packed_ticks import pack
from tests.conftest import Database
from tests.feeds.environment import START, Environment, running_sidecar, simulated_venues, until
from tests.feeds.servers import shut_down_at_once
from tests.feeds.test_sidecar import all_stored

DIRTY = DirtyMinutes(lambda: START)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [EmbeddedPostgres.stop, shut_down_at_once])
def test_a_database_that_restarts_gets_all_ticks_received_meanwhile(
    tmp_path: Path, stop: Callable[[EmbeddedPostgres], None]
) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        since = env.world.clock.now()
        await env.advance(20)
        await asyncio.gather(asyncio.to_thread(stop, postgres), env.advance(20))
        await env.advance(30)
        await asyncio.to_thread(postgres.start)
        await env.advance(20)
        await all_stored(env, since)
        # The subscriptions follow the rows again too, as soon as the server is back.
        env.add_row("DOGE")
        await env.wait_for_subscriptions("BTC", "ETH", "SOL", "HYPE", "BNB", "DOGE")

    async def inside() -> None:
        async with simulated_venues(make_url(postgres.url())) as env, running_sidecar(env):
            await scenario(env)

    with postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        asyncio.run(inside())


@pytest.mark.slow
def test_ticks_that_a_stopped_database_did_not_get_are_counted_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar_module, "_DRAIN_TIMEOUT", 0.5)
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    async def inside() -> None:
        async with simulated_venues(make_url(postgres.url())) as env:
            with pytest.raises(AssertionError, match="ticks were not written"):
                async with running_sidecar(env):
                    await env.wait_for_subscriptions()
                    await env.advance(5)
                    await asyncio.to_thread(postgres.stop)
                    await env.advance(5)
                    await until(lambda: env.buffer.counts.accepted > 0)

    with postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        asyncio.run(inside())


@pytest.mark.slow
def test_ticks_that_a_stopped_database_did_not_get_are_stored_by_the_next_sidecar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same buffer, which takes no trade twice: what is stored after the restart comes from the files."""
    monkeypatch.setattr(sidecar_module, "_DRAIN_TIMEOUT", 0.5)
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    async def inside() -> None:
        async with simulated_venues(make_url(postgres.url())) as env:
            first, second = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
            async with running_sidecar(env, spool=first):
                await env.wait_for_subscriptions()
                since = env.world.clock.now()
                await asyncio.to_thread(postgres.stop)
                accepted = env.buffer.counts.accepted
                await env.advance(10)
                await until(lambda: env.buffer.counts.accepted > accepted)
            assert first.ticks > 0
            first.close()
            await asyncio.to_thread(postgres.start)
            async with running_sidecar(env, spool=second):
                await all_stored(env, since)
            assert second.ticks == 0
            second.close()

    with postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        asyncio.run(inside())


class UnconfirmedCommit:
    """A connection that breaks after its first commit, before the confirmation."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            yield
        raise ConnectionResetError("connection reset")


def rows(*numbers: int, instrument: int = 1) -> list[TickRow]:
    """Ticks with these trade ids."""
    return [(microseconds(START), instrument, number, 1.5, 2.0, b"b", b"t", b"s") for number in numbers]


async def connected(url: URL) -> Any:
    """A connection as the sidecar has it, with a partition for the ticks."""
    connection = await connect_async(url, Role.INGEST)
    await connection.execute("SELECT ensure_tick_partitions($1, $1)", START.date())
    return connection


def test_an_unconfirmed_commit_is_not_done_twice(database: Database) -> None:
    async def inside() -> None:
        connections = [UnconfirmedCommit(await connected(database.url)), await connected(database.url)]
        to_open = iter(connections)

        async def open_connection() -> Any:
            return next(to_open)

        session = Session(open_connection)
        assert await session.run(partial(_write, rows(1, 2, 3))) == 0
        assert await session.run(partial(_write, rows(3, 4))) == 1
        assert await connections[1].fetchval("SELECT array_agg(trade_id ORDER BY trade_id) FROM ticks") == [1, 2, 3, 4]
        await session.close()

    asyncio.run(inside())


def test_a_duplicate_does_not_lose_the_rest_of_its_batch(database: Database) -> None:
    async def inside() -> None:
        connection = await connected(database.url)
        assert await insert_ticks(connection, pack(rows(1, 2)), START, DIRTY) == 2
        assert await insert_ticks(connection, pack(rows(2, 3) + rows(9, instrument=2)), START, DIRTY) == 2
        assert await connection.fetchval("SELECT count(*) FROM ticks") == 4
        dirty_minutes = await connection.fetch("SELECT DISTINCT * FROM dirty_minutes ORDER BY 1")
        assert [tuple(row) for row in dirty_minutes] == [(1, START), (2, START)]
        await connection.close()

    asyncio.run(inside())


def test_a_tick_that_violates_a_constraint_is_quarantined_and_the_others_are_stored(database: Database) -> None:
    bad: TickRow = (microseconds(START), 1, 1, 1.5, -1.0, b"b", b"t", b"s")

    async def inside() -> None:
        connection = await connected(database.url)
        await connection.execute(
            "INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)"
            " VALUES ('hyperliquid', 'perps', 'BTC', 'BTC', 1, 1)"
        )
        assert await insert_ticks(connection, pack([*rows(5, 6), bad, *rows(7, 8)]), START, DIRTY) == 4
        assert await insert_ticks(connection, pack([*rows(5), bad]), START, DIRTY) == 0
        assert await insert_ticks(connection, pack(rows(9)), START, DIRTY) == 1
        found = await connection.fetch("SELECT token_chain, instrument_id, reason FROM quarantined_messages")
        assert len(found) == 2
        assert all(row["token_chain"] == "hyperliquid" and "size" in row["reason"] for row in found)
        await connection.close()

    asyncio.run(inside())


async def _write(batch: list[TickRow], connection: Any) -> int:
    return await insert_ticks(connection, pack(batch), START, DIRTY)
