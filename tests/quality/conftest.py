"""A market without faults, to plant one in."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.quality import preload
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.quality.market import FLAWLESS, T


@pytest.fixture(scope="session")
def flawless(server: Server, template: str) -> Iterator[str]:
    """The name of a database with such a market, to be copied. Imports what the gate needs, once."""
    preload()
    database = server.create(template)
    with database.session() as connection:
        connection.execute(text(FLAWLESS), {"until": T})
    engine = database.engine(Role.APP)
    roll_up(engine, T)
    engine.dispose()
    yield str(database.url.database)
    server.drop(database)


@pytest.fixture
def market(server: Server, flawless: str) -> Iterator[Database]:
    """A copy."""
    copy = server.create(flawless)
    yield copy
    server.drop(copy)


@pytest.fixture
def engine(market: Database) -> Iterator[Engine]:
    """As the cycle connects."""
    engine = market.engine(Role.APP)
    yield engine
    engine.dispose()


@pytest.fixture
def admin(market: Database) -> Iterator[Connection]:
    """A session that may write everything."""
    with market.admin.connect() as connection:
        yield connection
