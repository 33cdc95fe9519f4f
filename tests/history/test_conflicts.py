"""A backfill and the sidecar that wait for each other's rows: both end, and nothing is lost."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import pytest
from asyncpg.exceptions import DeadlockDetectedError, SerializationError  # type: ignore[import-untyped]
from sqlalchemy import text

from strandline.history import retry
from strandline.history.retry import retry_conflicts
from strandline.history.ticks import HistoricTick, load_ticks
from strandline.history.units import Loaded, Unit, UnitKey
from strandline.model.source import HistorySource
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from tests.conftest import Database
from tests.history.loading import NOW, load_in_loop, register, rows

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TICKS = [HistoricTick(T0 + number * timedelta(seconds=1), 1, number, 100.0, 1.0, b"b", b"t") for number in range(2)]
INSERT = "INSERT INTO ticks VALUES ($1, 1, $2, 100, 1, 'b', 't', 's')"
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO ticks%'"


def unit() -> Unit:
    """Two trades of BTC."""
    key = UnitKey(HistorySource.FILE, "trades", T0, T0 + timedelta(hours=1), "a" * 64)

    async def load(connection: Any, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
        return await load_ticks(connection, key, wanted.values(), [TICKS], NOW)

    return Unit("trades", {"BTC": 1}, lambda: key, load, complete_until=T0, since=T0, until=T0 + timedelta(hours=1))


@pytest.mark.slow
def test_a_deadlock_with_the_sidecar_ends_and_both_have_stored_theirs(database: Database) -> None:
    """The sidecar has the second trade, waits for the first, which the backfill has while it waits for the second."""
    register(database)
    with database.session() as session:
        session.execute(text("SELECT ensure_tick_partitions('2026-03-01', '2026-03-01')"))

    async def main() -> None:
        sidecar = await connect_async(database.url, Role.INGEST)
        try:
            async with sidecar.transaction():
                await sidecar.execute(INSERT, TICKS[1].ts, 1)
                loading = asyncio.create_task(load_in_loop(database, [unit()]))
                while not rows(database, WAITING):
                    await asyncio.sleep(0.01)
                await asyncio.wait_for(sidecar.execute(INSERT, TICKS[0].ts, 0), 30)
            done = await asyncio.wait_for(loading, 30)
        finally:
            await sidecar.close()
        assert done.rows == Loaded(found=2)

    asyncio.run(main())
    assert rows(database, "SELECT trade_id, source::text FROM ticks ORDER BY 1") == [(0, "s"), (1, "s")]
    assert rows(database, "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()") == [(True,)]
    assert rows(database, "SELECT found, stored FROM history_loads") == [(2, 0)]


@pytest.mark.parametrize("error", [DeadlockDetectedError, SerializationError])
def test_a_conflict_is_tried_again_and_not_for_ever(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "pauses", lambda _: repeat(0.0))
    attempts = 0

    async def work() -> int:
        nonlocal attempts
        attempts += 1
        if attempts < failures:
            raise error("conflict")
        return attempts

    failures = 9
    assert asyncio.run(retry_conflicts(work)) == 9
    attempts, failures = 0, 100
    with pytest.raises(error):
        asyncio.run(retry_conflicts(work))
    assert attempts == 9
