"""Connections for the event loop, with the same role and time limits as those of `connect`."""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg  # type: ignore[import-untyped]
from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError  # type: ignore[import-untyped]

from strandline.store.roles import Role
from strandline.store.timeouts import OF_ROLE, Timeouts

if TYPE_CHECKING:
    from sqlalchemy import URL

_GRACE_SECONDS: Final = 5.0

Connection = Any
"""asyncpg's, which has no types."""

# A server that ends a session says so before it closes the connection. What asyncpg is asked in between ends in an
# InternalClientError, which has no base class in common with its other errors.
DATABASE_ERRORS: Final = (OSError, InterfaceError, InternalClientError, PostgresError)
"""What is raised when the database is away or refuses; who waits for it opens a new connection and tries again."""


async def connect_async(url: "URL | str", role: Role, timeouts: Timeouts | None = None) -> Connection:
    """Open a session that holds this role's privileges and no others."""
    address = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    limits = timeouts or OF_ROLE[role]
    parts = urlsplit(address)  # such as postgresql+psycopg2://…
    # asyncpg prefers the host in the address to the socket's directory behind it, libpq the other way round.
    return await asyncpg.connect(
        dsn=address.replace(parts.scheme, "postgresql", 1),
        host=parse_qs(parts.query).get("host"),
        timeout=10,
        # The server keeps to its limit, unless it or the network is gone.
        command_timeout=limits.statement.total_seconds() + _GRACE_SECONDS if limits.statement else None,
        server_settings={
            "role": role.value,
            "timezone": "UTC",
            "application_name": role.value,
            **limits.parameters,
        },
    )
