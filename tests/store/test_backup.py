"""A backup brings back everything: rows, constraints, triggers, owners, privileges, and a chain that goes on."""

from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

from strandline.model.strand import GENESIS
from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.rows import insert_all
from tests.store.test_migrations import contents, schema
from tests.store.test_strands import CHAIN, HEAD, add, open_chain, small


@pytest.mark.slow
def test_a_migrated_and_populated_database_comes_back_whole(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "one", settings={"fsync": "off"}) as postgres:
        database = Database(make_url(postgres.url()))
        migrate(database.admin)
        with database.session() as connection:
            connection.execute(text("DELETE FROM dirty_minutes"))
            open_chain(connection)
            insert_all(connection)
            first = add(connection, small(1, GENESIS))
        with database.session() as connection:
            before = schema(connection), contents(connection)
        postgres.backup(tmp_path / "backup.dump")

    # On another machine: another server, which knows neither the roles nor the schema.
    with EmbeddedPostgres(tmp_path / "two", settings={"fsync": "off"}) as postgres:
        postgres.restore(tmp_path / "backup.dump")
        database = Database(make_url(postgres.url()))
        with database.session() as connection:
            assert (schema(connection), contents(connection)) == before
        with database.session(Role.APP) as connection:
            head = connection.execute(HEAD, {"chain": CHAIN}).one()
            assert tuple(head) == (1, first.hash)
            assert add(connection, small(2, head.hash)).seq == 2
        with pytest.raises(IntegrityError, match="is refused"), database.session() as connection:
            connection.execute(text("DELETE FROM strands"))
        migrate(database.admin)
