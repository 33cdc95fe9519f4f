"""Airflow's own database, beside ours on the same server."""

import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from strandline.cli.up.paths import Paths
from strandline.cli.up.state_file import write_state
from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.connect import database_url, in_words, owner_engine
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role

DATABASE: Final = "airflow"


def airflow_database_url(paths: Paths, settings: Settings) -> str:
    """Return the URL for the login that migrates: Airflow's tables belong to it."""
    if settings.database_url is None:
        return EmbeddedPostgres(paths.postgres).url(DATABASE)
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


def is_migrated(paths: Paths, settings: Settings) -> bool:
    """Whether this version of Airflow has migrated it: asking Airflow itself takes seconds."""
    with suppress(FileNotFoundError):
        return bool(json.loads(_file(paths).read_text()) == _revision(paths, settings))
    return False


def remember_migrated(paths: Paths, settings: Settings) -> None:
    """Note the state in which `airflow db migrate` left it."""
    write_state(_file(paths), _revision(paths, settings))


def _revision(paths: Paths, settings: Settings) -> dict[str, str | None]:
    engine = create_engine(airflow_database_url(paths, settings), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:  # no such table
        revision = None
    finally:
        engine.dispose()
    return {"airflow": version("apache-airflow-core"), "revision": revision}


def _file(paths: Paths) -> Path:
    return paths.state / "airflow-migrated.json"
