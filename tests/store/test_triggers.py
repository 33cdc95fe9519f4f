"""Tables that only grow refuse every other change, to superusers too, and whatever the session's settings are."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from strandline.store.writers import INSERT, WRITES
from tests.conftest import Database
from tests.store.rows import insert

CHANGED_BY_PEOPLE = {"positions"}

APPEND_ONLY = sorted(
    table
    for table, writers in WRITES.items()
    if frozenset.union(*writers.values()) == frozenset({INSERT}) and table not in CHANGED_BY_PEOPLE
)
"""The tables into which everybody only inserts."""

NEVER_DELETED = [
    "bars", "commit_counter", "cycles", "instruments", "intents", "marks", "orders", "strand_heads", "venue_accounts"
]  # fmt: skip


def assert_refused(connection: Connection, table: str, statement: str) -> None:
    """The table's own trigger refuses the statement, in a session that pretends to be replicating too."""
    for role in ("origin", "replica"):
        with (
            pytest.raises(IntegrityError, match=f"on {table} is refused: its rows are only"),
            connection.begin_nested(),
        ):
            connection.execute(text(f"SET LOCAL session_replication_role = {role}"))
            connection.execute(text(statement))


def first_column(connection: Connection, table: str) -> str:
    """A column that an UPDATE can set to itself."""
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND attidentity = ''"
    return str(connection.scalars(text(f"{query} ORDER BY attnum"), {"table": table}).first())


def test_the_append_only_tables_are_those_that_hold_facts() -> None:
    assert APPEND_ONLY == [
        "asset_contexts",
        "bar_revisions",
        "cash_events",
        "controls",
        "features",
        "fills",
        "history_loads",
        "quality_findings",
        "quality_runs",
        "regime_bars",
        "resteps",
        "strands",
        "ticks",
    ]


def test_an_append_only_table_refuses_every_change_to_everybody(database: Database) -> None:
    with database.session() as connection:
        for table in APPEND_ONLY:
            column = first_column(connection, table)
            assert_refused(connection, table, f"UPDATE {table} SET {column} = {column}")
            assert_refused(connection, table, f"DELETE FROM {table}")
            assert_refused(connection, table, f"TRUNCATE {table} CASCADE")


def test_referenced_rows_cannot_be_deleted(database: Database) -> None:
    with database.session() as connection:
        for table in NEVER_DELETED:
            assert_refused(connection, table, f"DELETE FROM {table}")
            assert_refused(connection, table, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "statement", ["UPDATE {0} SET price = 1", "DELETE FROM {0}", "TRUNCATE {0}", "TRUNCATE ONLY {0} CASCADE"]
)
def test_a_partition_refuses_what_its_parent_refuses(database: Database, statement: str) -> None:
    """TRUNCATE of a partition, and any statement that names it, does not fire the triggers of its parent."""
    with database.session() as connection:
        insert(connection, "ticks")
        assert_refused(connection, "ticks_20260101", statement.format("ticks_20260101"))


def test_every_trigger_fires_in_a_session_that_replicates(database: Database) -> None:
    with database.session() as connection:
        insert(connection, "ticks")
        triggers = connection.execute(
            text("""
            SELECT tgrelid::regclass::text AS on_table, tgname, tgenabled::text FROM pg_trigger
            JOIN pg_class c ON c.oid = tgrelid AND relnamespace = 'public'::regnamespace WHERE NOT tgisinternal
            """)
        ).all()
    assert len(triggers) > len(APPEND_ONLY) + len(NEVER_DELETED)
    assert [trigger for trigger in triggers if trigger.tgenabled != "A"] == []


@pytest.mark.parametrize(
    "change", ["decided_at = now()", "outcome = 'superseded'", "outcome = 'voided', decisions = 7"]
)
def test_a_cycle_changes_only_by_voiding(database: Database, change: str) -> None:
    with database.session() as connection:
        insert(connection, "cycles")
        with pytest.raises(IntegrityError, match="never changed"), connection.begin_nested():
            connection.execute(text(f"UPDATE cycles SET {change}"))


def test_a_voided_cycle_changes_only_when_it_is_planned_again(database: Database) -> None:
    with database.session() as connection:
        insert(connection, "cycles")
        connection.execute(text("UPDATE cycles SET outcome = 'voided'"))
        for change in ("decided_at = now()", "cycle_t = now(), outcome = 'planned'"):
            with pytest.raises(IntegrityError, match="never changed"), connection.begin_nested():
                connection.execute(text(f"UPDATE cycles SET {change}"))
        connection.execute(text("UPDATE cycles SET outcome = 'planned', decided_at = now()"))


@pytest.mark.parametrize("change", ["price = 1", "voided = true, price = 1"])
def test_a_mark_changes_only_by_voiding(database: Database, change: str) -> None:
    with database.session() as connection:
        insert(connection, "instruments")
        insert(connection, "marks")
        with pytest.raises(IntegrityError, match="never changed"), connection.begin_nested():
            connection.execute(text(f"UPDATE marks SET {change}"))
        connection.execute(text("UPDATE marks SET voided = true"))
        with pytest.raises(IntegrityError, match="never changed"), connection.begin_nested():
            connection.execute(text("UPDATE marks SET voided = false"))
