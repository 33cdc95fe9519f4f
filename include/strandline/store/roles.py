"""The four database roles, and how they are created.

Roles belong to the whole server, not to one database, so migrations cannot own them: they are ensured before each.
"""

from enum import StrEnum

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from strandline.model.errors import StrandlineError


class Role(StrEnum):
    """The roles; they cannot log in, a session of any login switches to one when it connects (see `connect`)."""

    OWNER = "strandline_owner"
    APP = "strandline_app"
    INGEST = "strandline_ingest"
    UI = "strandline_ui"


def missing_roles(connection: Connection) -> list[Role]:
    """The roles that this server does not have."""
    found = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    return [role for role in Role if role not in found]


def ensure_roles(connection: Connection) -> None:
    """Create the missing roles, grant them all to this login, and let the owner create tables."""
    try:
        for role in missing_roles(connection):
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        for role in Role:
            connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
        connection.execute(text(f"GRANT USAGE, CREATE ON SCHEMA public TO {Role.OWNER}"))
    except ProgrammingError as error:
        commands = " ".join(f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO <this login>;" for role in Role)
        raise StrandlineError(
            f"this database login may not set up the roles ({str(error.orig).strip()})",
            f"as an administrator run: {commands} GRANT USAGE, CREATE ON SCHEMA public TO {Role.OWNER};",
        ) from error
