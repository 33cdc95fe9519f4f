"""Connects to the server through its socket: sessions, and PostgreSQL's client programs."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells like a module

from strandline.model.errors import StrandlineError
from strandline.store.postgres.programs import Programs, environment_without_postgres, run_program

SUPERUSER = "postgres"
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"


@dataclass(frozen=True)
class Client:
    """A client of the server whose socket is in this directory."""

    programs: Programs
    socket_directory: Path

    def answers(self) -> bool:
        """Return whether a server accepts connections there; one that still recovers does not."""
        return self.run("pg_isready", ["--timeout=5"]).returncode == 0

    def require_server(self) -> None:
        """Raise an error if no server runs there."""
        if not self.answers():
            raise StrandlineError("Postgres is not running", "start it with: strandline pg start")

    @contextlib.contextmanager
    def session(self, database: str = SUPERUSER) -> Iterator[Connection]:
        """Open a connection in which every statement commits by itself, and close it."""
        session = self._connect(database)
        try:
            session.autocommit = True
            yield session
        finally:
            session.close()

    def run(self, name: str, arguments: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client program to its end, with this text as its input."""
        command = [str(self.programs.path(name)), *arguments]
        return run_program(command, environment=self._environment(SUPERUSER), stdin=stdin)

    def become_psql(self, database: str, arguments: Sequence[str]) -> NoReturn:
        """Replace this process by psql; arguments of its own may choose another database or user."""
        become_psql(self.programs, arguments, self._environment(database))

    def _connect(self, database: str) -> Connection:
        try:
            return psycopg2.connect(
                host=str(self.socket_directory),
                port=PORT,
                user=SUPERUSER,
                dbname=database,
                application_name="strandline pg",
            )
        except psycopg2.OperationalError as error:
            raise StrandlineError(
                f"cannot connect to Postgres: {error}".strip(), "see: strandline pg status"
            ) from error

    def _environment(self, database: str) -> dict[str, str]:
        # Variables and not options, so that what a person adds on the command line wins.
        return {
            "PGHOST": str(self.socket_directory),
            "PGPORT": str(PORT),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
        }


def become_psql(programs: Programs, arguments: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process by psql."""
    psql = programs.path("psql")
    os.execve(psql, [str(psql), *arguments], environment_without_postgres() | environment)  # noqa: S606 - no shell is meant
