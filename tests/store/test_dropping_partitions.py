"""The one way in which ticks leave the database: a whole day that is old, and whose content the caller knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from strandline.store.roles import Role
from tests.conftest import Database
from tests.retention.ticks import checksum, partitions, some, store

DROP = text("SELECT drop_tick_partition(CAST(:day AS date), :rows, :hash)")
TODAY = datetime.now(UTC).date()


@pytest.fixture
def content(database: Database) -> dict[str, Any]:
    """What the first of January contains."""
    store(database, some())
    with database.session(Role.APP) as connection:
        row = connection.execute(text("SELECT rows, content_hash AS hash FROM tick_day_content('2026-01-01')")).one()
    return {"day": "2026-01-01", **row._asdict()}


def test_a_day_whose_content_is_known_is_dropped_once(database: Database, content: dict[str, Any]) -> None:
    with database.session(Role.APP) as connection:
        assert connection.scalar(DROP, content) is True
        assert connection.scalar(DROP, content) is False
    assert partitions(database) == []


@pytest.mark.parametrize(
    "parameters",
    [
        "SET LOCAL timezone = 'Pacific/Kiritimati'",
        "SET LOCAL datestyle = 'German'",
        "SET LOCAL bytea_output = 'escape'",
    ],
)
def test_the_sessions_settings_do_not_matter(database: Database, content: dict[str, Any], parameters: str) -> None:
    with database.session(Role.APP) as connection:
        connection.execute(text(parameters))
        row = connection.execute(text("SELECT rows, content_hash AS hash FROM tick_day_content('2026-01-01')")).one()
        assert row._asdict() == {"rows": content["rows"], "hash": content["hash"]}
        assert connection.scalar(DROP, content) is True


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"rows": 266}, "are not those that were archived"),
        ({"hash": "0" * 64}, "are not those that were archived"),
        ({"rows": None}, "wants a day"),
        ({"hash": None}, "wants a day"),
        ({"day": None}, "wants a day"),
        ({"day": str(TODAY - timedelta(days=7))}, "wants a day that ended at least a week ago"),
        ({"day": str(TODAY)}, "wants a day that ended at least a week ago"),
        ({"day": str(TODAY + timedelta(days=1))}, "wants a day that ended at least a week ago"),
    ],
)
def test_everything_else_is_refused(
    database: Database, content: dict[str, Any], wrong: dict[str, Any], match: str
) -> None:
    before = checksum(database)
    with pytest.raises(DBAPIError, match=match), database.session(Role.APP) as connection:
        connection.execute(DROP, content | wrong)
    assert checksum(database) == before


def test_a_snapshot_that_may_be_old_is_refused(database: Database, content: dict[str, Any]) -> None:
    match = "wants a transaction that is READ COMMITTED"
    with pytest.raises(DBAPIError, match=match), database.session(Role.APP) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        connection.execute(DROP, content)
    assert partitions(database) == ["ticks_20260101"]


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE ticks_20250101 (LIKE ticks)",
        "CREATE TABLE ticks_20250101 PARTITION OF ticks FOR VALUES FROM ('2025-01-01 06:00Z') TO ('2025-01-02 06:00Z')",
        "CREATE TABLE ticks_20250101 PARTITION OF ticks FOR VALUES FROM ('2025-01-01 00:00Z') TO ('2025-01-03 00:00Z')",
    ],
)
def test_a_table_that_is_not_the_partition_of_that_day_is_left_alone(database: Database, table: str) -> None:
    with database.session(Role.OWNER) as connection:
        connection.execute(text(table))
    with database.session(Role.APP) as connection:
        empty = connection.execute(text("SELECT * FROM tick_day_content('2025-01-01')")).one()
        parameters = {"day": "2025-01-01", "rows": empty.rows, "hash": empty.content_hash}
        assert connection.scalar(DROP, parameters) is False
        assert connection.scalar(text("SELECT to_regclass('ticks_20250101')")) is not None


@pytest.mark.parametrize("role", [Role.INGEST, Role.UI])
def test_other_roles_may_not(database: Database, content: dict[str, Any], role: Role) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), database.session(role) as connection:
        connection.execute(DROP, content)


def test_it_gives_up_soon_when_somebody_reads(database: Database, content: dict[str, Any]) -> None:
    """Whatever the caller's own limit is: the sidecar's writes stand behind it meanwhile."""
    with database.session() as reader:
        reader.execute(text("SELECT count(*) FROM ticks"))
        with pytest.raises(DBAPIError, match="lock timeout"), database.session(Role.APP) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1h'"))
            connection.execute(DROP, content)
    assert partitions(database) == ["ticks_20260101"]
