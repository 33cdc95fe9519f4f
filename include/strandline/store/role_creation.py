"""Creates the database roles.

They belong to the whole server, not to one database, so migrations cannot own them: they are ensured before each.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from strandline.model.errors import StrandlineError
from strandline.store.roles import Role


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
