"""A database with tick partitions, and connections to it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.store.roles import Role
from tests.conftest import Database


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    """A superuser's session; there are tick partitions from 1 to 10 January."""
    with database.admin.connect() as connection:
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-10')"))
        connection.commit()
        yield connection


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """A connection as the cycle's role."""
    engine = database.engine(Role.APP)
    yield engine
    engine.dispose()
