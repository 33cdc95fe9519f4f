"""Opens connections: chooses the URL, and sets role and time limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.extensions import get_wait_callback, set_wait_callback
from psycopg2.extras import wait_select
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.address import database_address
from strandline.store.roles import Role
from strandline.store.timeouts import OF_ROLE, Timeouts

# A server or a network that is gone is noticed within half a minute.
_KEEPALIVE: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def database_url(settings: Settings, role: Role) -> URL:
    """The role's address, for an engine."""
    return make_url(database_address(settings, role))


def connect(url: URL, role: Role, *, pool_size: int = 2, timeouts: Timeouts | None = None) -> Engine:
    """An engine whose sessions hold this role's privileges and no others, and wait for nothing without an end.

    Role and time limits are start-up parameters, so that RESET and a pool's clean-up come back to them.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={
            "options": session_options(role, timeouts),
            "application_name": role.value,
            "connect_timeout": 10,
            **_KEEPALIVE,
        },
    )


def session_options(role: Role, timeouts: Timeouts | None = None) -> str:
    """The start-up parameters of such a session, for callers that must make an engine of their own."""
    limits = (timeouts or OF_ROLE[role]).parameters
    return " ".join(f"-c {name}={value}" for name, value in {"role": role, "timezone": "UTC", **limits}.items())


@contextmanager
def interruptible_waits() -> Iterator[None]:
    """Let a signal handler that raises end a wait for the server, as Airflow's execution_timeout does by SIGALRM.

    Without it psycopg2 returns to Python only when the statement is over. It holds for the whole process, and what is
    in the block cannot COPY.
    """
    before = get_wait_callback()
    set_wait_callback(wait_select)
    try:
        yield
    finally:
        set_wait_callback(before)


@contextmanager
def owner_engine(settings: Settings) -> Iterator[Engine]:
    """An engine of the login that migrates, without the owner's role: the role may not exist yet."""
    limits = " ".join(f"-c {name}={value}" for name, value in OF_ROLE[Role.OWNER].parameters.items())
    engine = create_engine(
        database_url(settings, Role.OWNER),
        poolclass=NullPool,
        connect_args={"options": limits, "connect_timeout": 10, **_KEEPALIVE},
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def in_words(settings: Settings) -> Iterator[None]:
    """Turn an unreachable database into one line that says what to do."""
    try:
        yield
    except OperationalError as error:
        raise unreachable(settings, error) from error


def unreachable(settings: Settings, error: Exception) -> StrandlineError:
    """Make the error for an unreachable database, with its reason and what to do; libpq never repeats a password."""
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    remedy = "check STRANDLINE_DATABASE_URL" if settings.database_url else "start it: strandline pg start"
    return StrandlineError(f"the database cannot be reached ({reason})", remedy)
