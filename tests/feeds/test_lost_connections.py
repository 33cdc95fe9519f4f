"""The server ends a session, in whatever state it is: the work is done again on a new connection."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from asyncpg.exceptions import (  # type: ignore[import-untyped]
    InterfaceError,
    InternalClientError,
    PostgresConnectionError,
    ProtocolError,
)
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from strandline.feeds import session as session_module
from strandline.feeds.session import Session
from strandline.history.initial_backfill import InitialBackfill
from strandline.store import connect_async as connect_async_module
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.store.timeouts import Timeouts
from tests.conftest import Database
from tests.feeds.database_relay import database_relay
from tests.feeds.environment import until
from tests.history.test_history import FixedHistory, candle
from tests.store.rows import insert

Work = Callable[[Any], Awaitable[object]]


async def idle(connection: Any) -> None:
    """Nothing is asked of it."""


async def in_a_transaction(connection: Any) -> None:
    await connection.execute("BEGIN")
    await connection.execute("SELECT 1")


async def listening(connection: Any) -> None:
    await connection.add_listener("somewhere", lambda *_: None)


BEFORE: Mapping[str, Work] = {"idle": idle, "in a transaction": in_a_transaction, "listening": listening}


async def asking(connection: Any) -> None:
    await connection.fetchval("SELECT pg_sleep(60)")


async def copying(connection: Any) -> None:
    async def rows() -> Any:
        for number in range(100):
            await asyncio.sleep(0.01)
            yield (number,)

    async with connection.transaction():
        await connection.execute("CREATE TEMP TABLE copied (number integer) ON COMMIT DROP")
        await connection.copy_records_to_table("copied", records=rows())


WHILE: Mapping[str, Work] = {"asking": asking, "copying": copying}


def end_sessions(database: Database) -> int:
    """End all sessions of this database but the own; returns how many there were."""
    engine = create_engine(database.url, poolclass=NullPool)
    with engine.begin() as connection:
        ended = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        return int(ended.scalar_one())


async def ended_session(database: Database, url: Any, before: Work) -> Any:
    """A connection whose session the server has ended, and which has not been closed."""
    connection = await connect_async(url, Role.INGEST)
    await before(connection)
    assert await asyncio.to_thread(end_sessions, database) == 1
    await asyncio.sleep(0.1)  # the server's last words arrive
    return connection


@pytest.mark.parametrize("state", BEFORE)
def test_a_session_that_was_ended_before_the_work_is_opened_again(database: Database, state: str) -> None:
    async def inside() -> None:
        async with database_relay(database.url) as url:
            opened = 0

            async def open_connection() -> Any:
                nonlocal opened
                opened += 1
                if opened == 1:
                    return await ended_session(database, url, BEFORE[state])
                return await connect_async(url, Role.INGEST)

            session = Session(open_connection)
            assert await session.run(lambda connection: connection.fetchval("SELECT 7")) == 7
            assert opened == 2
            await session.close()

    asyncio.run(inside())


@pytest.mark.parametrize("state", WHILE)
def test_work_during_which_the_session_is_ended_is_done_again(database: Database, state: str) -> None:
    async def inside() -> None:
        attempts = 0

        async def work(connection: Any) -> int:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                await WHILE[state](connection)
            return attempts

        session = Session(lambda: connect_async(database.url, Role.INGEST))
        run = asyncio.create_task(session.run(work))
        await until(lambda: attempts == 1)
        await asyncio.sleep(0.1)
        assert await asyncio.to_thread(end_sessions, database) == 1
        assert await asyncio.wait_for(run, 20) == 2
        await session.close()

    asyncio.run(inside())


def test_a_server_that_is_gone_without_a_word_is_noticed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is not even closed."""
    monkeypatch.setattr(connect_async_module, "_GRACE_SECONDS", 0.2)
    second = timedelta(seconds=1)

    async def inside() -> None:
        async with database_relay(database.url) as url:
            attempts = 0

            async def work(connection: Any) -> int:
                nonlocal attempts
                attempts += 1
                if attempts == 1:
                    asyncio.get_running_loop().call_later(0.2, end_sessions, database)
                    await connection.fetchval("SELECT pg_sleep(60)")
                return attempts

            session = Session(lambda: connect_async(url, Role.INGEST, Timeouts(second, second, second)))
            assert await asyncio.wait_for(session.run(work), 20) == 2
            await session.close()

    asyncio.run(inside())


def test_the_pauses_do_not_grow_over_work_that_lasted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subscriptions are followed by one piece of work, which ends when the connection is lost."""
    monkeypatch.setattr(session_module, "_LONGEST_PAUSE", 0.1)
    taken: list[int] = []

    def pauses(*_: float) -> Iterator[float]:
        for number in count(1):
            taken.append(number)
            yield 0.01

    monkeypatch.setattr(session_module, "pauses", pauses)

    async def inside() -> None:
        async def work(_: Any) -> None:
            await asyncio.sleep(0 if len(taken) in {1, 2} else 0.2)
            if len(taken) < 6:
                raise ConnectionResetError

        session = Session(lambda: connect_async(database.url, Role.INGEST))
        await session.run(work)
        await session.close()

    asyncio.run(inside())
    assert taken == [1, 2, 3, 1, 1, 1]


@pytest.mark.parametrize(
    "error", [InternalClientError, ProtocolError, InterfaceError, PostgresConnectionError, ConnectionResetError]
)
def test_whatever_the_client_makes_of_a_lost_connection(database: Database, error: type[Exception]) -> None:
    async def inside() -> None:
        attempts = 0

        async def work(_: Any) -> int:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                raise error("planted")
            return attempts

        session = Session(lambda: connect_async(database.url, Role.INGEST))
        assert await session.run(work) == 2
        await session.close()

    asyncio.run(inside())


def test_history_is_loaded_again_after_the_session_was_ended(database: Database) -> None:
    with database.session() as session:
        insert(session, "instruments")

    async def inside() -> None:
        history = FixedHistory(candle(0), candle(1))
        async with database_relay(database.url) as url:
            opened = 0

            async def open_connection() -> Any:
                nonlocal opened
                opened += 1
                if opened in {1, 3}:
                    return await ended_session(database, url, idle)
                return await connect_async(url, Role.INGEST)

            backfill = InitialBackfill(open_connection, [history], lambda: candle(2).ts)
            backfill.add(history.venue, {"XRP": 1})
            run = asyncio.create_task(backfill.run())
            async with asyncio.timeout(20):
                while opened < 4 or not loaded(database):
                    await asyncio.wait([run], timeout=0.05)
                    assert not run.done()
            run.cancel()
            await asyncio.wait([run])

    asyncio.run(inside())


def loaded(database: Database) -> bool:
    with database.session() as session:
        return bool(session.execute(text("SELECT count(*) = 2 FROM venue_candles")).scalar_one())
