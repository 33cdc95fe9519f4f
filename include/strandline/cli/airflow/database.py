"""Airflow's own database, beside ours on the same server: created, and migrated by Airflow."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import marks
from strandline.cli.up.program import AIRFLOW
from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.connect import database_url, in_words, owner_engine
from strandline.store.postgres.programs import last_lines
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role

DATABASE: Final = "airflow"
_MIGRATION: Final = "airflow-migration"


def airflow_database_url(settings: Settings) -> str:
    """Return the URL for the login that migrates: Airflow's tables belong to it."""
    if settings.database_url is None:
        return EmbeddedPostgres(settings.home / "postgres").url(DATABASE)
    return database_url(settings, Role.OWNER).set(database=DATABASE).render_as_string(hide_password=False)


def create_airflow_database(settings: Settings) -> None:
    """Create it unless it is there."""
    with in_words(settings), owner_engine(settings) as engine, engine.connect() as session:
        connection = session.execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": DATABASE}):
            return
        try:
            connection.execute(text(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'"))
        except ProgrammingError as error:
            problem = f"the database {DATABASE} cannot be created ({str(error.orig).strip()})"
            raise StrandlineError(problem, f"let an administrator run: CREATE DATABASE {DATABASE}") from error


@contextmanager
def airflow_migrated(
    paths: Paths, settings: Settings, environment: Mapping[str, str], pause: Callable[[], None]
) -> Iterator[None]:
    """Run `airflow db migrate` beside the block, and return when both are done.

    Airflow itself takes seconds to find that there is nothing to migrate; a comment on its table of revisions says so
    at once. When the block is left by an error, the migration is killed: the database takes back
    what was not committed.
    """
    engine = create_engine(airflow_database_url(settings), poolclass=NullPool)
    migrated_by = f"migrated by apache-airflow-core {version('apache-airflow-core')}"
    with engine.connect() as connection:
        comment = connection.scalar(text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')"))
    if comment == migrated_by:
        yield
        return
    log = paths.log(_MIGRATION)
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - a list without a shell, all of it ours
            [*AIRFLOW, "db", "migrate"],
            env={**os.environ, **environment, **marks(paths.home, _MIGRATION)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield
        while process.poll() is None:
            pause()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        problem = f"airflow db migrate failed: {last_lines(log.read_text(errors='replace'))}"
        raise StrandlineError(problem, f"put that right and start again; see {log}")
    with engine.begin() as connection:
        connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{migrated_by}'"))
