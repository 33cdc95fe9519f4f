"""Ticks are stored in one partition per UTC day, made ahead."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.concurrency import at_once
from tests.store.rows import ROWS, insert

MAKE = text("SELECT ensure_tick_partitions(CAST(:first AS date), CAST(:last AS date))")


def partitions(database: Database) -> list[str]:
    """Their names, in order."""
    with database.session() as connection:
        names = connection.scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ticks'::regclass ORDER BY 1")
        )
        return list(names)


@pytest.mark.parametrize("role", [Role.INGEST, Role.APP])
def test_missing_days_are_made_once(database: Database, role: Role) -> None:
    with database.session(role) as connection:
        assert connection.scalar(MAKE, {"first": "2026-02-27", "last": "2026-03-02"}) == 4
        assert connection.scalar(MAKE, {"first": "2026-02-27", "last": "2026-03-03"}) == 1
    assert partitions(database) == [
        "ticks_20260227",
        "ticks_20260228",
        "ticks_20260301",
        "ticks_20260302",
        "ticks_20260303",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Anchorage"])
def test_a_day_is_a_utc_day_whatever_the_sessions_time_zone(database: Database, zone: str) -> None:
    with database.session() as connection:
        connection.execute(text(f"SET LOCAL timezone = '{zone}'"))
        connection.execute(MAKE, {"first": "2026-01-01", "last": "2026-01-02"})
        for number, ts in enumerate(
            ["2026-01-01 00:00:00+00", "2026-01-01 23:59:59.999999+00", "2026-01-02 00:00:00+00"]
        ):
            insert(connection, "ticks", ts=ts, trade_id=number)
        found = connection.execute(text("SELECT trade_id, tableoid::regclass::text FROM ticks ORDER BY 1")).all()
    assert [tuple(row) for row in found] == [(0, "ticks_20260101"), (1, "ticks_20260101"), (2, "ticks_20260102")]


def test_a_tick_for_which_there_is_no_day_is_refused(database: Database) -> None:
    row = dict(ROWS["ticks"])
    statement = text(f"INSERT INTO ticks ({', '.join(row)}) VALUES ({', '.join(f':{column}' for column in row)})")
    with pytest.raises(IntegrityError, match="no partition of relation"), database.session() as connection:
        connection.execute(statement, row)


def test_a_partition_has_the_key_and_the_checks(database: Database) -> None:
    with database.session() as connection:
        insert(connection, "ticks")
    for special, match in (({}, "duplicate key"), ({"trade_id": 9, "size": -1.0}, "check constraint")):
        with pytest.raises(IntegrityError, match=match), database.session() as connection:
            insert(connection, "ticks", **special)


@pytest.mark.parametrize(("first", "last"), [("2026-01-02", "2026-01-01"), ("1990-01-01", "2026-01-01")])
def test_an_excessive_range_is_refused(database: Database, first: str, last: str) -> None:
    with pytest.raises(DBAPIError, match="first <= last"), database.session(Role.INGEST) as connection:
        connection.execute(MAKE, {"first": first, "last": last})
    assert partitions(database) == []


def test_partitions_can_be_made_concurrently(database: Database) -> None:
    def ask() -> None:
        with database.session(Role.INGEST) as connection:
            connection.execute(MAKE, {"first": "2026-01-01", "last": "2026-01-10"})

    assert at_once(ask, 6) == []
    assert len(partitions(database)) == 10


def test_a_new_day_does_not_stop_a_writer(database: Database) -> None:
    with database.session() as connection:
        insert(connection, "ticks")
    with database.session() as writer:
        insert(writer, "ticks", trade_id=8)
        with database.session(Role.APP) as maker:
            maker.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert maker.scalar(MAKE, {"first": "2026-01-02", "last": "2026-01-02"}) == 1
