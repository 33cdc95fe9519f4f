"""A database with faultless data, in which tests plant faults."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.quality import preload
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.quality.samples import FAULTLESS_DATA, T


@pytest.fixture(scope="session")
def faultless(server: Server, template: str) -> Iterator[str]:
    """The name of a database with faultless data, to be copied. Imports what the gate needs, once."""
    preload()
    database = server.create(template)
    with database.session() as connection:
        connection.execute(text(FAULTLESS_DATA), {"until": T})
    engine = database.engine(Role.APP)
    roll_up(engine, T)
    engine.dispose()
    yield str(database.url.database)
    server.drop(database)


@pytest.fixture
def faultless_database(server: Server, faultless: str) -> Iterator[Database]:
    """A copy of the faultless database."""
    copy = server.create(faultless)
    yield copy
    server.drop(copy)


@pytest.fixture
def engine(faultless_database: Database) -> Iterator[Engine]:
    """A connection as the cycle's role."""
    engine = faultless_database.engine(Role.APP)
    yield engine
    engine.dispose()


@pytest.fixture
def admin(faultless_database: Database) -> Iterator[Connection]:
    """A superuser's session."""
    with faultless_database.admin.connect() as connection:
        yield connection
