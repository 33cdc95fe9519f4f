"""A database as the rollup finds it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.store.roles import Role
from tests.conftest import Database


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    """A session that may write everything; there are ticks from 1 to 10 January."""
    with database.admin.connect() as connection:
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-10')"))
        connection.commit()
        yield connection


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """As the cycle connects."""
    engine = database.engine(Role.APP)
    yield engine
    engine.dispose()
