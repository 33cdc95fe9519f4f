"""The embedded Postgres as everybody gets it, with its own settings: what was committed is on disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres

_TEMPLATE = "benchmark_template"


class Server:
    """A server on which each round gets a new, migrated database."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.version = postgres.version
        self._url = make_url(postgres.url())
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        engine = create_engine(self._url.set(database=_TEMPLATE), poolclass=NullPool)
        migrate(engine)

    @contextmanager
    def database(self, name: str) -> Iterator[URL]:
        """A migrated database that is dropped at the end."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            # What the copy has written must not be flushed during what is measured.
            self._execute("CHECKPOINT")
            yield self._url.set(database=name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))


@contextmanager
def server() -> Iterator[Server]:
    """Start a server in a directory of its own, and remove both at the end."""
    home = Path(mkdtemp(prefix="strandline-bench-"))
    try:
        with EmbeddedPostgres(home) as postgres:
            yield Server(postgres)
    finally:
        shutil.rmtree(home)


@contextmanager
def session(url: URL) -> Iterator[Connection]:
    """A superuser's session in which every statement commits."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
