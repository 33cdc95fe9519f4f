"""What is archived, dropped and restored is the same as before, bit for bit."""

from datetime import date, timedelta
from itertools import count
from math import inf, nan
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from strandline.retention.days import Dropping
from strandline.retention.tick_archive import TickArchive
from strandline.retention.tick_file import GROUP_ROWS
from tests.conftest import Database
from tests.retention.conftest import Archive, Restore
from tests.retention.ticks import DAY, OPEN, Tick, checksum, partitions, some, store

_DAYS = count(1)
"""A day for each example, back from the first: ticks cannot be removed from a table otherwise."""

moments = st.one_of(st.sampled_from([0, 1, 59_999_999, 60_000_000, 86_399_999_999]), st.integers(0, 86_400_000_000 - 1))
prices = st.floats(width=64)
sizes = st.one_of(st.sampled_from([0.0, -0.0, nan, inf, 5e-324]), st.floats(min_value=0.0))
ids = st.one_of(st.sampled_from([-(2**63), 2**63 - 1, -1, 0]), st.integers(-(2**63), 2**63 - 1))
trades = st.tuples(moments, st.integers(1, 3), ids, prices, sizes | st.none(), st.sampled_from(["b", "s", None]))
polled = st.tuples(moments, st.integers(1, 3), ids, prices, st.none(), st.none())
kinds = st.one_of(trades.map(lambda row: (*row, "t")), polled.map(lambda row: (*row, "p")))
days = st.lists(st.tuples(kinds, st.sampled_from("sra")), unique_by=lambda row: row[0][:3], max_size=40)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=days)
def test_nothing_is_lost_or_changed(
    database: Database, archive: Archive, restore: Restore, rows: list[tuple[tuple[Any, ...], str]]
) -> None:
    shift = next(_DAYS)
    start, day = OPEN - timedelta(days=shift), DAY - timedelta(days=shift)
    ticks = [Tick._make((start + timedelta(microseconds=row[0]), *row[1:], source)) for row, source in rows]
    store(database, ticks)
    before = checksum(database)
    assert len(before) == len(ticks)
    assert [one.dropping for one in archive(day)] == [Dropping.DROPPED] * bool(ticks)
    assert checksum(database) == []
    restore(day, day)
    assert checksum(database) == before
    archive(day)


def test_several_days_and_groups_of_rows(database: Database, archive: Archive, restore: Restore) -> None:
    with database.session() as connection:
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-02')"))
        connection.execute(
            text("""
            INSERT INTO ticks
            SELECT timestamptz '2026-01-01 00:00Z' + n * interval '350 milliseconds', n % 3 + 1, n, n, n, 'b', 't', 's'
            FROM generate_series(0, :rows) AS n
            """),
            {"rows": 3 * GROUP_ROWS},
        )
    store(database, [])
    before = checksum(database)
    done = archive(DAY + timedelta(days=1))
    assert [one.dropping for one in done] == [Dropping.DROPPED, Dropping.DROPPED]
    assert sum(one.rows for one in done) == len(before) == 3 * GROUP_ROWS + 1
    assert partitions(database) == []
    assert sum(one.stored for one in restore(DAY, DAY + timedelta(days=1))) == len(before)
    assert checksum(database) == before


def test_other_programs_read_the_file_as_the_table(database: Database, archive: Archive, folder: TickArchive) -> None:
    store(database, some(30))
    archive()
    (entry,) = folder.files()
    table = pq.read_table(folder.path(entry))
    assert table.to_pylist() == [tick._asdict() for tick in sorted(some(30), key=lambda tick: tick[:3])]
    assert (entry.rows, entry.first_ts, entry.last_ts) == (40, some(30)[0].ts, some(30)[29].ts)
    assert entry.instruments == {1: 30, 2: 10}


def test_days_that_are_not_old_stay(database: Database, archive: Archive) -> None:
    store(database, some() + some(day=DAY + timedelta(days=1)))
    assert [one.day for one in archive()] == [DAY]
    assert partitions(database) == ["ticks_20260102"]


def test_an_empty_day_leaves_no_file(database: Database, archive: Archive, folder: TickArchive) -> None:
    with database.session() as connection:
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-01')"))
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, False)]
    assert folder.files() == []


def test_what_comes_after_the_day_was_dropped_is_archived_beside_it(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive
) -> None:
    store(database, some())
    archive()
    late = [Tick(OPEN, 3, 1, 7.0)]
    store(database, late)
    archive()
    assert len(folder.files()) == 2
    restore()
    assert len(checksum(database)) == len(some()) + 1


def test_restoring_twice_changes_nothing_and_marks_no_minute(
    database: Database, archive: Archive, restore: Restore
) -> None:
    store(database, some())
    archive()
    assert sum(one.stored for one in restore()) == len(some())
    before = checksum(database)
    assert sum(one.stored for one in restore(rebuild_bars=True)) == 0
    assert checksum(database) == before
    with database.session() as connection:
        assert connection.scalar(text("SELECT count(*) FROM dirty_minutes")) == 0


def test_bars_are_rebuilt_if_that_is_asked_for(database: Database, archive: Archive, restore: Restore) -> None:
    store(database, some())
    archive()
    restore(rebuild_bars=True)
    minutes = {(tick.instrument_id, tick.ts.replace(second=0, microsecond=0)) for tick in some()}
    with database.session() as connection:
        marked = connection.execute(text("SELECT instrument_id, minute FROM dirty_minutes")).all()
    assert {tuple(row) for row in marked} == minutes


def test_a_day_that_was_restored_is_not_written_again(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive
) -> None:
    store(database, some())
    archive()
    restore()
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, False)]
    assert len(folder.files()) == 1


def test_days_without_a_file_are_restored_as_nothing(restore: Restore) -> None:
    assert restore(date(2020, 1, 1), date(2030, 1, 1)) == []
