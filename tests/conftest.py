"""What all tests share: how hypothesis searches, and a fresh migrated database in milliseconds."""

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from strandline.store.connect import connect
from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role

# `ci` is quick and finds the same examples every time; `long` is for a night: HYPOTHESIS_PROFILE=long make test
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_numbers = count(1)
_MEMORY = Path("/dev/shm")
_ROOM_FOR_A_SERVER = 2**30
_START_A_SYSTEM = ("cli/up/test_ending.py", "cli/up/test_up.py")
_LONGEST_FIRST = (
    "cli/test_demo.py",
    *_START_A_SYSTEM,
    "feeds/test_tape.py",
    "store/test_embedded.py",
    "cli/test_doctor.py",
    "cli/up/test_supervisor.py",
    "pm/test_plan.py",
    "docs/test_sessions.py",
    "engine/test_runs.py",
    "cycle/test_the_whole_way.py",
    "execution/test_driver_state_machine.py",
    "venues/hyperliquid/test_submission.py",
)
"""The demo waits for its five minutes meanwhile, and no process begins with a long file when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files that take long to the front."""
    last = len(_LONGEST_FIRST)
    items.sort(key=lambda item: next((i for i, file in enumerate(_LONGEST_FIRST) if _file(item).endswith(file)), last))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One process more than there are processors, because the tests that start a whole system mostly wait."""
    return (yield) + 1


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """The tests of a file share their fixtures, so they run in one process; so do those that start and end everything
    again and again, since two at once would only slow each other down.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "system" if file.endswith(_START_A_SYSTEM) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    return _ByFile(config, log)


class Database:
    """One test's own database: as an administrator, or as one of the roles."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.admin = create_engine(url, poolclass=NullPool)

    @contextmanager
    def session(self, role: Role | None = None) -> Iterator[Connection]:
        """A transaction that commits at its end; without a role it is the superuser's."""
        engine = self.engine(role) if role else self.admin
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def engine(self, role: Role) -> Engine:
        """The library's own way of connecting."""
        return connect(self.url, role)


class Server:
    """A Postgres server on which databases come and go."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._admin = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def create(self, template: str = "template1") -> Database:
        """A new database, a copy of the template."""
        name = f"strandline_test_{os.getpid()}_{next(_numbers)}"
        with self._admin.connect() as connection:
            # By default each block is written to the log, too.
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
        return Database(self.url.set(database=name))

    def drop(self, database: Database) -> None:
        """The database and whatever is connected to it."""
        with self._admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {database.url.database} WITH (FORCE)"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An embedded server for this run, or the one that STRANDLINE_TEST_DATABASE_URL names (as a superuser)."""
    given = os.environ.get("STRANDLINE_TEST_DATABASE_URL")
    if given:
        yield Server(make_url(given))
        return
    with (
        _quick_folder(tmp_path_factory) as home,
        EmbeddedPostgres(home, settings={"fsync": "off", "full_page_writes": "off"}) as postgres,
    ):
        yield Server(make_url(postgres.url()))


@contextmanager
def _quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory, where the system has a file system there with room: each database is some hundred files."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_FOR_A_SERVER:
        with TemporaryDirectory(prefix="strandline-test-", dir=_MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("postgres")


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a database that is migrated once and copied for every test."""
    database = server.create()
    migrate(database.admin)
    yield str(database.url.database)
    server.drop(database)


@pytest.fixture
def database(server: Server, template: str) -> Iterator[Database]:
    """A fresh database with the newest schema."""
    fresh = server.create(template)
    yield fresh
    server.drop(fresh)


@pytest.fixture
def empty_database(server: Server) -> Iterator[Database]:
    """A fresh database with nothing in it."""
    fresh = server.create()
    yield fresh
    server.drop(fresh)
