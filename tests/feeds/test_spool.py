"""What is spooled comes back whole, in order and within bounds, whatever happened to the process that wrote it."""

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from strandline.feeds import tick_writer
from strandline.feeds.session import Session
from strandline.feeds.shard import SidecarName
from strandline.feeds.spool import Spool
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_writer import Received, TickWriter
from strandline.model.instants import microseconds
from strandline.store.connect_async import connect_async
from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from strandline.venues.feed import TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.packed_ticks import pack, unpack
from tests.conftest import Database
from tests.feeds.environment import START, until


def ticks(first: int, count: int) -> list[TickRow]:
    """Trades with these ids, evenly after each other."""
    begin = microseconds(START)
    return [
        (begin + number * 100, 1, number, 1.5, 2.0, b"b", b"t", b"s")
        if number % 3
        else (begin, 2, number, 1.5, None, None, b"p", b"r")
        for number in range(first, first + count)
    ]


def drained(spool: Spool) -> list[TickRow]:
    """Everything that is in it."""
    found = []
    while len(batch := spool.first()):
        found += unpack(batch)
        spool.remove_first()
    return found


@given(st.lists(st.integers(1, 30) | st.none(), max_size=12))
def test_batches_come_back_in_order_after_any_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | None]
) -> None:
    """None is a process that is killed: its successor finds what it left."""
    folder = tmp_path_factory.mktemp("spool")
    spool, written = Spool(folder), 0
    for count in steps:
        if count is None:
            spool.close()
            spool = Spool(folder)
        else:
            assert spool.append(pack(ticks(written, count)))
            written += count
        assert spool.ticks == written
    assert drained(spool) == ticks(0, written)
    assert list(folder.glob("*.packed")) == []
    spool.close()


def test_a_batch_that_is_torn_anywhere_is_cut_and_counted_and_the_others_are_kept(tmp_path: Path) -> None:
    for cut in Random(1).sample(range(350), 20):
        spool = Spool(tmp_path / str(cut))
        for first in (0, 10, 20):
            assert spool.append(pack(ticks(first, 10)))
        spool.close()
        last = max((tmp_path / str(cut)).glob("*.packed"))
        assert cut < last.stat().st_size
        os.truncate(last, cut)
        again = Spool(tmp_path / str(cut))
        assert drained(again) == ticks(0, 20)
        assert again.torn == 1
        assert again.append(pack(ticks(20, 10)))
        assert drained(again) == ticks(20, 10)
        again.close()


def test_it_takes_no_more_than_its_bound_and_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=10_000)
    kept = 0
    while spool.append(pack(ticks(kept, 10))):
        kept += 10
    assert 0 < sum(path.stat().st_size for path in tmp_path.glob("*.packed")) <= 10_000
    assert unpack(spool.first()) == ticks(0, 10)
    spool.remove_first()
    assert spool.append(pack(ticks(kept, 10)))
    assert drained(spool) == ticks(10, kept)
    spool.close()


def test_a_second_process_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    assert first.append(pack(ticks(0, 5)))
    assert not second.append(pack(ticks(5, 5)))
    assert (second.ticks, len(second.first())) == (0, 0)
    first.close()
    assert drained(second) == ticks(0, 5)
    second.close()


_KILLED = """
import os, signal, sys
from pathlib import Path
from strandline.feeds.shard import SidecarName
from strandline.feeds.spool import Spool
from strandline.venues.packed_ticks import pack
from tests.feeds.test_spool import ticks
spool = Spool(Path(sys.argv[1]))
for first in range(0, 100_000, 100):
    spool.append(pack(ticks(first, 100)))
    print(first + 100, flush=True)
"""


def test_what_was_spooled_is_there_after_sigkill(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in process.stdout]
    spooled = max(said, default=2_000)
    spool = Spool(tmp_path)
    found = drained(spool)
    spool.close()
    assert len(found) >= spooled
    assert found == ticks(0, len(found))


@pytest.mark.slow
def test_ticks_of_an_outage_go_through_files_also_to_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed while the database is away; the next one stores what it had spooled, once."""
    monkeypatch.setattr(tick_writer, "_SPOOL_ABOVE_ROWS", 1_000)
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})

    def started(buffer: TickBuffer, spool: Spool) -> tuple[TickWriter, "asyncio.Task[None]"]:
        session = Session(partial(connect_async, make_url(postgres.url()), Role.INGEST))
        writer = TickWriter([session], buffer, lambda: START, lambda: Received(START, {}), dict, SidecarName(), spool)
        return writer, asyncio.create_task(writer.run())

    async def inside() -> None:
        buffer, spool = accepting(), Spool(tmp_path / "spool")
        _, run = started(buffer, spool)
        buffer.add_ticks(HYPERLIQUID_PERPS, ticks(0, 3_000))
        await until(lambda: count(postgres) == 3_000)
        await asyncio.to_thread(postgres.stop)
        sent = 3_000
        while spool.ticks < 15_000:  # the first may be taken before the writer notices
            buffer.add_ticks(HYPERLIQUID_PERPS, ticks(sent, 1_500))
            sent += 1_500
            await until(lambda: buffer.pending == 0)
        spooled = spool.ticks
        run.cancel()  # as if killed: what it held in memory is gone
        await asyncio.wait([run])
        spool.close()
        await asyncio.to_thread(postgres.start)
        buffer, spool = accepting(), Spool(tmp_path / "spool")
        writer, run = started(buffer, spool)
        buffer.add_ticks(HYPERLIQUID_PERPS, ticks(sent, 10))
        await until(lambda: count(postgres) == 3_000 + spooled + 10)
        assert spool.ticks == 0
        writer.stop()
        await run
        spool.close()

    with postgres:
        engine = create_engine(postgres.url(), poolclass=NullPool)
        migrate(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT ensure_tick_partitions(%s, %s)", (START.date(), START.date()))
        asyncio.run(inside())


def test_the_watermark_does_not_pass_what_is_spooled(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also if it is spooled while the writer waits for ticks."""
    spool, buffer = Spool(tmp_path), accepting()
    beats: list[tuple[object, int]] = []

    async def wait_for_batch(_: float) -> None:
        if not beats:
            assert spool.append(pack(ticks(0, 10)))
            assert spool.append(pack(ticks(10, 10)))
        await asyncio.sleep(0.01)

    async def beat(writer: TickWriter, connection: Any) -> None:
        beats.append((writer._watermark, await connection.fetchval("SELECT count(*) FROM ticks")))

    monkeypatch.setattr(buffer, "wait_for_batch", wait_for_batch)
    monkeypatch.setattr(TickWriter, "_store_heartbeat", beat)
    monkeypatch.setattr(tick_writer, "_HEARTBEAT_SECONDS", 0)

    async def inside() -> None:
        session = Session(partial(connect_async, database.url, Role.INGEST))
        writer = TickWriter([session], buffer, lambda: START, lambda: Received(START, {}), dict, SidecarName(), spool)
        run = asyncio.create_task(writer.run())
        await until(lambda: bool(beats) and beats[-1][0] is not None)
        writer.stop()
        await run
        spool.close()

    with database.session() as session:
        session.exec_driver_sql("SELECT ensure_tick_partitions(%s, %s)", (START.date(), START.date()))
    asyncio.run(inside())
    assert {count for watermark, count in beats if watermark is not None} == {20}
    assert [watermark for watermark, _ in beats][:2] == [None, None]


def accepting() -> TickBuffer:
    """A buffer that takes the ticks of today."""
    buffer = TickBuffer(lambda: START)
    buffer.accept_days(START.date(), START.date())
    return buffer


def count(postgres: EmbeddedPostgres) -> int:
    """How many ticks are stored."""
    with create_engine(postgres.url(), poolclass=NullPool).connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM ticks").scalar_one())


def test_what_the_database_takes_is_not_spooled_unless_there_is_too_much(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tick_writer, "_SPOOL_ABOVE_ROWS", 1_000)
    monkeypatch.setattr(tick_writer, "_SPOOL_ANYWAY_ROWS", 3_000)
    monkeypatch.setattr(tick_writer, "_SPOOL_SECONDS", 0.02)
    spool, buffer = Spool(tmp_path), accepting()

    async def inside() -> None:
        session = Session(partial(connect_async, database.url, Role.INGEST))
        writer = TickWriter([session], buffer, lambda: START, lambda: Received(START, {}), dict, SidecarName(), spool)
        spooling = asyncio.create_task(writer._keep_spooling())

        async def commit(looks: int) -> None:
            """As if a batch were committed before each look."""
            for _ in range(looks):
                writer._commits.stored += 1
                await asyncio.sleep(0)
                await asyncio.sleep(0.001)

        buffer.add_ticks(HYPERLIQUID_PERPS, ticks(0, 1_500))
        await commit(100)
        assert (spool.ticks, buffer.pending) == (0, 1_500)
        buffer.add_ticks(HYPERLIQUID_PERPS, ticks(1_500, 1_500))
        while buffer.pending:
            await commit(10)
        assert spool.ticks == 3_000
        buffer.add_ticks(HYPERLIQUID_PERPS, ticks(3_000, 1_500))
        await until(lambda: spool.ticks == 4_500)
        spooling.cancel()

    asyncio.run(inside())
    assert drained(spool) == ticks(0, 4_500)
    spool.close()
