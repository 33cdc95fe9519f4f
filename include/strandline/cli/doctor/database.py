"""Checks the database: reachable, new enough, migrated, with its roles."""

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from strandline.cli.doctor.check import Check, failed, fine
from strandline.settings import Settings
from strandline.store.connect import connect, database_url, owner_engine, unreachable
from strandline.store.migrate import OLDEST_POSTGRES, current_step, latest_step
from strandline.store.role_creation import missing_roles
from strandline.store.roles import Role


def database(settings: Settings) -> Iterator[Check]:
    """Check Postgres, migrations and roles; an unreachable database is one failure."""
    try:
        with owner_engine(settings) as engine, engine.connect() as connection:
            yield _postgres(connection)
            yield _migrations(connection)
            missing = missing_roles(connection)
    except SQLAlchemyError as error:
        problem = unreachable(settings, error)
        yield failed("postgres", problem.problem, problem.remedy)
        return
    yield (
        failed("roles", f"{', '.join(missing)} missing", "run: strandline db migrate") if missing else _roles(settings)
    )


def _postgres(connection: Connection) -> Check:
    number = int(connection.scalar(text("SHOW server_version_num")) or 0)
    version = connection.scalar(text("SHOW server_version"))
    if number < OLDEST_POSTGRES:
        return failed("postgres", f"this is PostgreSQL {version}", "use 15 or newer")
    return fine("postgres", f"PostgreSQL {version}")


def _migrations(connection: Connection) -> Check:
    step = current_step(connection)
    if step == latest_step():
        return fine("migrations", f"at {step}, the newest")
    newer = f"at {step}, the newest is {latest_step()}" if step else "the database is empty"
    return failed("migrations", newer, "run: strandline db migrate")


def _roles(settings: Settings) -> Check:
    """Check that each role's login may take its role, as its process does first."""
    for role in Role:
        engine = connect(database_url(settings, role), role)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            problem = unreachable(settings, error)
            return failed(
                "roles", f"as {role}: {problem.problem}", f"as an administrator run: GRANT {role} TO its login"
            )
        finally:
            engine.dispose()
    return fine("roles", ", ".join(Role))
