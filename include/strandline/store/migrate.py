"""Migrates a database to a step of the schema, forward or back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from strandline.model.errors import StrandlineError
from strandline.store.role_creation import ensure_roles
from strandline.store.roles import Role

VERSION_TABLE: Final = "strandline_migrations"
"""Not Alembic's usual name: Airflow's migrations may be in the same database."""

OLDEST_POSTGRES: Final = 150000
_LOCK: Final = 5_787_201
_UNRELEASED_STEP: Final = re.compile(r"00(0[1-9]|10)")
"""The steps that were folded into the baseline were named by their number alone."""


def latest_step() -> str:
    """The newest step of this code."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known_steps() -> set[str]:
    """The names of all steps; they sort in the order in which they run."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current_step(connection: Connection) -> str | None:
    """The step that the database is at; None if it has no schema yet."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def require_latest_step(connection: Connection) -> None:
    """Refuse a database whose schema is not that of this code."""
    step = current_step(connection)
    if step != latest_step():
        problem = f"the database is at migration {step or 'base'}, and this version needs {latest_step()}"
        raise StrandlineError(problem, "run: strandline db migrate")


def migrate(engine: Engine, step: str = "head") -> None:
    """Go forward to `step`, in one transaction. Of two processes that do so at once, the second waits."""
    with _as_owner(engine) as connection:
        _ensure_known_step(connection)
        command.upgrade(_config(connection), step)
        connection.execute(text(f"GRANT SELECT ON {VERSION_TABLE} TO {Role.APP}, {Role.INGEST}, {Role.UI}"))


def migrate_back(engine: Engine, step: str) -> None:
    """Go back to `step` (`base`: remove everything). The rows in the tables of later steps are lost."""
    if step not in {"base", *known_steps()}:
        raise StrandlineError(
            f"there is no migration {step}", f"choose one of: base, {', '.join(sorted(known_steps()))}"
        )
    with _as_owner(engine) as connection:
        _ensure_known_step(connection)
        command.downgrade(_config(connection), step)


def _ensure_known_step(connection: Connection) -> None:
    """Refuse a database that another version of this code has migrated."""
    step = current_step(connection)
    if step is not None and _UNRELEASED_STEP.fullmatch(step):
        raise StrandlineError(
            f"the database is at migration {step} of a version before the first release, and cannot go on",
            "use a new database (embedded: strandline pg stop, and remove the folder postgres in the home directory),"
            " then run: strandline db migrate",
        )
    if step is not None and step not in known_steps():
        raise StrandlineError(
            f"the database is at migration {step}, which this version does not know",
            "run the newer version that migrated it",
        )


@contextmanager
def _as_owner(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        version = int(connection.scalar(text("SHOW server_version_num")) or 0)
        if version < OLDEST_POSTGRES:
            raise StrandlineError(f"this is PostgreSQL {version // 10000}", "use PostgreSQL 15 or newer")
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        ensure_roles(connection)
        connection.execute(text(f"SET LOCAL ROLE {Role.OWNER}"))
        connection.execute(text("SET LOCAL search_path = public"))
        yield connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "strandline.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
