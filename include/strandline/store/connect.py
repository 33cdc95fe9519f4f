"""Connections: which URL, and as which role."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role


def database_url(settings: Settings, role: Role) -> URL:
    """The role's own login where one is set, else the common one, else the embedded server's socket."""
    own = {
        Role.OWNER: settings.database_url_owner,
        Role.APP: settings.database_url_app,
        Role.INGEST: settings.database_url_ingest,
        Role.UI: settings.database_url_ui,
    }[role]
    chosen = own or settings.database_url
    return make_url(chosen.get_secret_value() if chosen else EmbeddedPostgres(settings.home / "postgres").url())


def connect(url: URL, role: Role, *, pool_size: int = 2) -> Engine:
    """An engine whose sessions hold this role's privileges and no others.

    The role is a start-up parameter, so that RESET ROLE and a pool's clean-up come back to it.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={
            "options": session_options(role),
            "application_name": role.value,
            "connect_timeout": 10,
        },
    )


def session_options(role: Role) -> str:
    """The start-up parameters of such a session, for who must make an engine of his own."""
    return f"-c role={role} -c timezone=UTC"


@contextmanager
def owner_engine(settings: Settings) -> Iterator[Engine]:
    """The login that migrates, before it has taken on the owner's role: the role may not exist yet."""
    engine = create_engine(database_url(settings, Role.OWNER), poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def in_words(settings: Settings) -> Iterator[None]:
    """Turns an unreachable database into one line that says what to do."""
    try:
        yield
    except OperationalError as error:
        raise unreachable(settings, error) from error


def unreachable(settings: Settings, error: Exception) -> StrandlineError:
    """What to tell a person about this error; libpq never repeats a password."""
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    remedy = "check STRANDLINE_DATABASE_URL" if settings.database_url else "start it: strandline pg start"
    return StrandlineError(f"the database cannot be reached ({reason})", remedy)
