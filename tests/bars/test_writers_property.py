"""The bars are the same to the last bit, whoever wrote their ticks, in which batches, and in which order.

The stream's writers are the sidecar's own: COPY, and the insert that leaves out what is there already. The archive's is
that of the backfill. Most ticks come more than once, and rollups happen between any two batches.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.feeds.dirty_minutes import DirtyMinutes
from strandline.feeds.tick_store import insert_ticks
from strandline.history.ticks import HistoricTick, load_ticks
from strandline.history.units import UnitKey
from strandline.model.instants import microseconds
from strandline.model.source import HistorySource
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.packed_ticks import pack
from tests.bars.reference import expected_bars
from tests.bars.rows import MINUTE, Tick, add_instruments, stored_bars
from tests.conftest import Database

DAY = datetime(2026, 1, 5, tzinfo=UTC)
END = DAY + timedelta(days=4)
_loads = count()


class Delivery(NamedTuple):
    """Ticks that arrive in this order in one batch, and how far the rollup goes that follows."""

    from_archive: bool
    ticks: list[Tick]
    until: datetime


@st.composite
def trades(draw: st.DrawFn) -> Tick:
    """A trade around the end of a day, where all timeframes end; its numbers make sums depend on their order."""
    minute = draw(st.one_of(st.integers(-6, 6), st.integers(-300, 300)))
    offset = draw(st.sampled_from([0, 0, 1_000, 30_000_000, 59_999_000]))
    return Tick(
        instrument_id=draw(st.integers(0, 1)),
        ts=DAY + minute * MINUTE + timedelta(microseconds=offset),
        trade_id=draw(st.integers(0, 6)),
        price=draw(st.sampled_from([0.1, 0.3, 1 / 3, 1.1, 1e15, 7e-9])),
        size=draw(st.sampled_from([0.1, 0.7, 1 / 7, 3e11, 1e-9])),
        side=draw(st.sampled_from("bs")),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Each trade is in one batch at least, and in two or three often."""
    drawn = draw(
        st.lists(trades(), min_size=1, max_size=40, unique_by=lambda tick: (tick.ts, tick.instrument_id, tick.trade_id))
    )
    number = draw(st.integers(1, 6))
    where = [draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=3)) for _ in drawn]
    return [
        Delivery(
            draw(st.booleans()),
            draw(st.permutations([tick for tick, batches in zip(drawn, where, strict=True) if batch in batches])),
            DAY + draw(st.integers(-30, 30)) * MINUTE,
        )
        for batch in range(number)
    ]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(arrivals=deliveries())
def test_order_batches_and_writers_do_not_matter(
    database: Database, engine: Engine, admin: Connection, arrivals: list[Delivery]
) -> None:
    instruments = add_instruments(admin, 4)
    admin.commit()
    for delivery in arrivals:
        ticks = [tick._replace(instrument_id=instruments[tick.instrument_id]) for tick in delivery.ticks]
        if delivery.from_archive:
            _archive(database, ticks, instruments)
        else:
            _stream(database, ticks)
        roll_up(engine, delivery.until)
    roll_up(engine, END)
    found = stored_bars(admin, instruments[:2])
    assert found == expected_bars(_stored(admin, instruments[:2]), [], END)

    everything = sorted({tick for delivery in arrivals for tick in delivery.ticks})
    _stream(database, [tick._replace(instrument_id=instruments[tick.instrument_id + 2]) for tick in everything])
    roll_up(engine, END)
    at_once = stored_bars(admin, instruments[2:])
    pairs = dict(zip(instruments[:2], instruments[2:], strict=True))
    assert {(pairs[number], *rest): bar._replace(source="s") for (number, *rest), bar in found.items()} == at_once
    admin.commit()


def _stream(database: Database, ticks: Sequence[Tick]) -> None:
    """As the sidecar's writer does: a batch with a tick that is there already takes the other way."""
    rows: list[Any] = [
        (microseconds(one.ts), one.instrument_id, one.trade_id, one.price, one.size, str(one.side).encode(), b"t", b"s")
        for one in ticks
    ]

    async def write() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            if rows:
                await insert_ticks(connection, pack(rows), END, DirtyMinutes(lambda: END))
        finally:
            await connection.close()

    asyncio.run(write())


def _archive(database: Database, ticks: Sequence[Tick], instruments: Sequence[int]) -> None:
    """As a backfill does."""
    key = UnitKey(HistorySource.ARCHIVE, f"unit {next(_loads)}", DAY - timedelta(days=2), END, "0" * 64)
    batch = [
        HistoricTick(one.ts, one.instrument_id, one.trade_id, one.price, one.size, str(one.side).encode(), b"t")
        for one in ticks
    ]

    async def write() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            await load_ticks(connection, key, instruments, [batch[::2], batch[1::2]], END)
        finally:
            await connection.close()

    asyncio.run(write())


def _stored(admin: Connection, instruments: list[int]) -> list[Tick]:
    rows = admin.execute(
        text("""
            SELECT instrument_id, ts, trade_id, price, size, side::text, kind::text, source::text FROM ticks
            WHERE instrument_id = ANY (:instruments)
        """),
        {"instruments": instruments},
    )
    return [Tick(*row) for row in rows]
