"""The schema goes forward and back, on empty and on populated databases."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text

from strandline.model.errors import StrandlineError
from strandline.store.migrate import current_step, known_steps, latest_step, migrate, migrate_back
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.store.concurrency import at_once
from tests.store.rows import ROWS, insert_all

STEPS = sorted(known_steps())


def schema(connection: Connection) -> list[Any]:
    """Everything that the catalogue says about tables, columns, constraints, indexes, triggers, functions, grants."""
    queries = [
        "SELECT c.relname, c.relkind, c.relowner::regrole::text, c.relacl::text, obj_description(c.oid) FROM pg_class c"
        " WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attacl::text,"
        " col_description(attrelid, attnum), pg_get_expr(adbin, adrelid) FROM pg_attribute"
        " JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'public'::regnamespace"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attnum > 0 AND NOT attisdropped ORDER BY 1, attnum",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2",
        "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE NOT tgisinternal ORDER BY 1, 2",
        "SELECT oid::regprocedure::text, prosrc, proacl::text FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT t.typname, enumlabel FROM pg_type t LEFT JOIN pg_enum ON enumtypid = t.oid"
        " WHERE typnamespace = 'public'::regnamespace ORDER BY 1, enumsortorder",
    ]
    return [[tuple(row) for row in connection.execute(text(query))] for query in queries]


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, by column."""
    tables = connection.scalars(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'strandline_migrations'")
    ).all()
    rows = "SELECT (SELECT json_object_agg(key, value) FROM jsonb_each_text(to_jsonb(t))) FROM {} t ORDER BY t::text"
    return {table: list(connection.scalars(text(rows.format(table)))) for table in tables}


def kept(held: dict[str, list[dict[str, Any]]], now: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether all that was held is still there, whatever columns have come."""
    return all(
        len(rows) == len(now[table])
        and all(was.items() <= row.items() for was, row in zip(rows, now[table], strict=True))
        for table, rows in held.items()
    )


def test_every_step_goes_forward_and_back_to_exactly_what_was(empty_database: Database) -> None:
    before = []
    for step in STEPS:
        with empty_database.session() as connection:
            before.append(schema(connection))
        migrate(empty_database.admin, step)
    for step, earlier, was in reversed(list(zip(STEPS, ["base", *STEPS[:-1]], before, strict=True))):
        migrate_back(empty_database.admin, earlier)
        if earlier != "base":
            with empty_database.session() as connection:
                assert schema(connection) == was, f"going back from {step} left something"
    with empty_database.session() as connection:
        left = connection.scalars(text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
        assert {name for name in left if not name.startswith("strandline_migrations")} == set()


def test_migrations_run_on_a_populated_database_and_keep_its_rows(empty_database: Database) -> None:
    for step in STEPS:
        with empty_database.session() as connection:
            held = contents(connection)
        migrate(empty_database.admin, step)
        with empty_database.session() as connection:
            assert kept(held, contents(connection))
            insert_all(connection)
    with empty_database.session() as connection:
        filled = contents(connection)
    assert {table for table in ROWS if not filled[table]} == set()
    migrate(empty_database.admin)
    with empty_database.session() as connection:
        assert contents(connection) == filled


def test_a_populated_database_goes_back_and_forward(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
    migrate_back(database.admin, "base")
    migrate(database.admin)
    with database.session() as connection:
        assert current_step(connection) == latest_step()
        insert_all(connection)


def test_a_failing_step_leaves_nothing_behind(empty_database: Database) -> None:
    with empty_database.session() as connection:
        connection.execute(text("CREATE TABLE holdings (in_the_way int)"))
    with pytest.raises(Exception, match="holdings"):
        migrate(empty_database.admin)
    with empty_database.session() as connection:
        assert current_step(connection) is None
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert tables == ["holdings"]


def test_concurrent_migrations_wait_for_each_other(empty_database: Database) -> None:
    assert at_once(lambda: migrate(empty_database.admin), 4) == []
    with empty_database.session() as connection:
        assert current_step(connection) == latest_step()


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.session() as connection:
        connection.execute(text("UPDATE strandline_migrations SET version_num = '9999'"))
    for move in (migrate, lambda engine: migrate_back(engine, "base")):
        with pytest.raises(StrandlineError, match="9999, which this version does not know; run the newer version"):
            move(database.admin)


@pytest.mark.parametrize("step", ["0001", "0010"])
def test_a_database_from_before_the_baseline_is_refused(database: Database, step: str) -> None:
    with database.session() as connection:
        connection.execute(text("UPDATE strandline_migrations SET version_num = :step"), {"step": step})
    for move in (migrate, lambda engine: migrate_back(engine, "base")):
        with pytest.raises(StrandlineError, match=f"{step} of a version before the first release.*use a new database"):
            move(database.admin)


def test_a_login_without_rights_gets_the_commands_for_an_administrator(server: Server, database: Database) -> None:
    with database.session() as connection:
        connection.execute(text("DROP ROLE IF EXISTS strandline_test_nobody"))
        connection.execute(text("CREATE ROLE strandline_test_nobody"))
    try:
        weak = database.url.update_query_dict({"options": "-c role=strandline_test_nobody"})
        with pytest.raises(StrandlineError, match="as an administrator run: CREATE ROLE strandline_owner"):
            migrate(Database(weak).admin)
    finally:
        with database.session() as connection:
            connection.execute(text("DROP ROLE strandline_test_nobody"))


def test_the_owner_owns_everything(database: Database) -> None:
    with database.session() as connection:
        owners = connection.scalars(
            text("SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        ).all()
    assert owners == [Role.OWNER]


def test_everything_has_a_comment(database: Database) -> None:
    """Every table, view and function, and every column of every table."""
    with database.session() as connection:
        uncommented = connection.scalars(
            text("""
            SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
              AND obj_description(oid, 'pg_class') IS NULL AND relname <> 'strandline_migrations'
            UNION ALL
            SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND attnum > 0 AND NOT attisdropped
              AND col_description(attrelid, attnum) IS NULL AND relname <> 'strandline_migrations'
            UNION ALL
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
            """)
        ).all()
        chain = connection.scalar(text("SELECT col_description('positions'::regclass, 2)"))
    assert uncommented == []
    assert "Venue namespace" in chain


@pytest.mark.slow
def test_migrations_run_on_the_oldest_supported_server(tmp_path: Path) -> None:
    """The oldest PostgreSQL that the embedded programs have; what must hold is 15."""
    with EmbeddedPostgres(tmp_path / "older", major=16, settings={"fsync": "off"}) as postgres:
        database = Server(make_url(postgres.url())).create()
        migrate(database.admin)
        with database.session() as connection:
            assert str(connection.scalar(text("SHOW server_version"))).startswith("16.")
            insert_all(connection)
        migrate_back(database.admin, "base")
