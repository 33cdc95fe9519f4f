"""Each role can do exactly what the table of writers says, and nothing else."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from strandline.store.roles import Role
from strandline.store.writers import HOME_OF, ROLE_OF, WRITES
from tests.conftest import Database
from tests.store.rows import insert, insert_all


def promised(role: Role) -> set[tuple[str, str]]:
    """What the table of writers gives this role."""
    return {
        (table, verb)
        for table, writers in WRITES.items()
        for writer, verbs in writers.items()
        if ROLE_OF[writer] is role
        for verb in verbs
    }


@pytest.mark.parametrize("role", [Role.APP, Role.INGEST, Role.UI])
def test_privileges_are_exactly_what_the_table_of_writers_gives(database: Database, role: Role) -> None:
    query = text("""
        SELECT c.relname, verb FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS verb
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
          AND CASE WHEN verb IN ('INSERT', 'UPDATE') THEN has_any_column_privilege(:role, c.oid, verb)
                   ELSE has_table_privilege(:role, c.oid, verb) END
    """)
    with database.session() as connection:
        held = {(row.relname, row.verb) for row in connection.execute(query, {"role": role})}
    assert held == promised(role)


def test_the_table_of_writers_names_every_table_and_only_known_writers(database: Database) -> None:
    with database.session() as connection:
        tables = set(
            connection.scalars(
                text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'strandline_migrations'"
                )
            )
        )
    assert tables == set(WRITES)
    assert {writer for writers in WRITES.values() for writer in writers} == set(ROLE_OF) == set(HOME_OF)


def test_a_session_has_its_role_and_comes_back_to_it(database: Database) -> None:
    engine = database.engine(Role.INGEST)
    try:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT current_user")) == Role.INGEST
            connection.execute(text("RESET ROLE"))
            assert connection.scalar(text("SELECT current_user")) == Role.INGEST
            assert connection.scalar(text("SHOW timezone")) == "UTC"
    finally:
        engine.dispose()


def test_the_pages_can_read_everything_and_write_nothing(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        relations = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
            )
        ).all()
    with database.session(Role.UI) as connection:
        for relation in relations:
            connection.execute(text(f"SELECT count(*) FROM {relation}"))
    with pytest.raises(ProgrammingError, match="permission denied"), database.session(Role.UI) as connection:
        insert(connection, "dirty_minutes")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (Role.INGEST, "INSERT INTO bars SELECT * FROM bars"),
        (Role.INGEST, "UPDATE intents SET status = 'done'"),
        (Role.INGEST, "DELETE FROM dirty_minutes"),
        (Role.INGEST, "SELECT * FROM orders"),
        (Role.APP, "INSERT INTO ticks SELECT * FROM ticks"),
        (Role.APP, "UPDATE intents SET notional = 1000000"),
        (Role.APP, "UPDATE positions SET token_contract = 'x'"),
        (Role.APP, "UPDATE controls SET person = 'x'"),
        (Role.UI, "INSERT INTO controls (control, person, reason, given_at) VALUES ('resume', 'x', 'x', now())"),
        (Role.APP, "UPDATE orders SET signed_bytes = ''"),
        (Role.APP, "DELETE FROM fills"),
        (Role.APP, "CREATE TABLE mine (x int)"),
        (Role.APP, "DROP TABLE strands"),
        (Role.APP, "ALTER TABLE strands DISABLE TRIGGER ALL"),
        (Role.UI, "CREATE TABLE mine (x int)"),
    ],
)
def test_what_a_role_may_not_do_is_refused(database: Database, role: Role, statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        database.session(role) as connection,
    ):
        connection.execute(text(statement))
