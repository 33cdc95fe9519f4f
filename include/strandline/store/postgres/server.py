"""The embedded PostgreSQL server: a directory that becomes a running server; nothing to install or to configure."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

import psycopg2
from psycopg2 import errors, sql

from strandline.model.errors import StrandlineError
from strandline.store.postgres.backup import restore_backup, sync_directory, write_backup
from strandline.store.postgres.programs import PORT, SOCKET_NAME, SUPERUSER, Account, Client, Programs, last_lines

DATABASE = "strandline"

# Written into postgresql.conf once, where a person may change them.
_SETTINGS_OF_NEW_DATA = {
    # Reached by its socket only: whoever may enter the socket's directory is trusted, and nobody else gets that far.
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A commit that was answered is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # A restore locks every partition of every table in one transaction.
    "max_locks_per_transaction": "256",
}
_UNFINISHED = "data-unfinished-"
_LARGEST_LOG = 16 * 1024 * 1024
# A socket's address holds about 104 bytes on the strictest system.
_LONGEST_SOCKET_PATH = 100
# These pass by themselves: processes of a killed server end as soon as they notice.
_PASSING_TROUBLES = re.compile(r'pre-existing shared memory block|lock file ".*" already exists')
_SECONDS_BETWEEN_ATTEMPTS = 0.2


class EmbeddedPostgres:
    """One server, whose data and log live under `home`; it goes on running when this process ends."""

    def __init__(
        self, home: Path, *, major: int = 18, settings: Mapping[str, str] | None = None, patience: int = 120
    ) -> None:
        """Name the place; `settings` hold while it runs; starting and stopping may take `patience` seconds."""
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self._programs = Programs(major)
        self._settings = dict(settings or {})
        self._patience = patience

    def start(self) -> None:
        """Make sure that the server runs and that its database exists; several processes may call this at once."""
        with self._alone() as lock:
            account = self._account()
            account.check(self._programs)
            _make_socket_directory(self._client.socket_directory, account)
            if not (self.data / "PG_VERSION").exists():
                self._create_data(account, lock)
            self._check_major()
            self._bring_up(account)
            self._create_missing_database()

    def stop(self) -> None:
        """Cut clients off, write everything down and end; fine when nothing runs."""
        if not os.path.lexists(self.home):
            return
        with self._alone():
            account = self._account()
            if self._postmaster() is not None:
                self._take_down(account)
            elif self.running:
                problem = f"the server of {self.data} answers, but its process cannot be seen from here"
                raise StrandlineError(problem, "stop it where it was started: another container, or another user")

    @property
    def running(self) -> bool:
        """Whether it accepts connections."""
        return self._client.answers()

    @property
    def pid(self) -> int | None:
        """The server's process while it lives, whether or not it accepts connections."""
        return self._postmaster()

    @property
    def version(self) -> str:
        """The version of the running server, such as 18.4."""
        self._client.require_server()
        with self._client.session() as session:
            return session.info.parameter_status("server_version") or str(self._programs.major)

    def url(self, database: str = DATABASE) -> str:
        """Give the address for SQLAlchemy; Airflow and Great Expectations insist on a host, so there are two."""
        # The socket's directory is plain by construction: an escaped path would trip Alembic, which reads % as its own.
        where = f"{SUPERUSER}@localhost:{PORT}/{quote(database, safe='')}"
        return f"postgresql+psycopg2://{where}?host={self._client.socket_directory}"

    def psql(self, arguments: Sequence[str] = ()) -> NoReturn:
        """Replace this process by psql, connected to the database."""
        self._client.require_server()
        self._client.become_psql(DATABASE, arguments)

    def backup(self, file: Path) -> None:
        """Write the database to a file that must not exist yet."""
        write_backup(self._client, DATABASE, file)

    def restore(self, file: Path) -> str:
        """Put a backup in the database's place; give the name under which the old one is kept."""
        return restore_backup(self._client, DATABASE, file)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def _client(self) -> Client:
        return Client(self._programs, _socket_directory(self.data))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """Hold the home's lock, so that two processes never start or stop the same server at once."""
        with _system_errors_in_words(self.home):
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.home / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield lock.fileno()

    def _create_data(self, account: Account, lock: int) -> None:
        """Fill a directory beside `data` and rename it, so that data is whole or not there, whatever is killed."""
        if self.data.exists() and any(self.data.iterdir()):
            raise StrandlineError(
                f"{self.data} holds something else than Postgres data", "move it away and start again"
            )
        for leftover in self.home.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.home))
        try:
            self._run_initdb(account, unfinished, lock)
            unfinished.rename(self.data)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync_directory(self.home)

    def _run_initdb(self, account: Account, directory: Path, lock: int) -> None:
        account.take(directory)
        # It holds the lock too: killed without it, we leave it at work in a directory that the next start clears away.
        made = account.run(self._programs.path("initdb"), _initdb_arguments(directory), self.home, hold_open=[lock])
        if made.returncode != 0:
            problem = f"could not create Postgres data in {self.home}: {last_lines(made.stderr)}"
            raise StrandlineError(problem, "put that right and start again; nothing was left behind")

    def _account(self) -> Account:
        account = Account.for_data(self.data)
        if self.data.exists() and (owner := self.data.stat().st_uid) != account.uid:
            problem = f"{self.data} belongs to user id {owner}, and Postgres would run as user id {account.uid}"
            raise StrandlineError(problem, "run strandline as its owner, or give it another owner with chown -R")
        return account

    def _check_major(self) -> None:
        major = (self.data / "PG_VERSION").read_text().strip()
        if major != str(self._programs.major):
            problem = f"{self.data} was written by Postgres {major}, and this is Postgres {self._programs.major}"
            remedy = "back it up with the older Strandline (strandline pg backup), move it away, start, and restore it"
            raise StrandlineError(problem, remedy)

    def _bring_up(self, account: Account) -> None:
        deadline = time.monotonic() + self._patience
        while not self.running:
            if time.monotonic() > deadline:
                problem = f"Postgres did not answer within {self._patience} s; its log ends:\n{self._end_of_log()}"
                remedy = f"it may still be recovering: try again, or stop it (strandline pg stop) and read {self.log}"
                raise StrandlineError(problem, remedy)
            if self._postmaster() is None:
                self._clear_traces_of_the_dead()
                if self._launch(account):
                    continue
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)

    def _launch(self, account: Account) -> bool:
        """Start the server once, in a session of its own, so that Ctrl-C at the caller's terminal does not reach it.

        It did not start, but will when what is in its way has passed: False.
        """
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.rename(self.log.with_suffix(".log.1"))
        before = self.log.stat().st_size if self.log.exists() else 0
        # Relative names from `home`: pg_ctl passes them through a shell, and home may hold any character.
        arguments = ["start", "--wait", f"--timeout={self._patience}", "--silent", "--pgdata=data", "--log=server.log"]
        launched = account.run(self._programs.path("pg_ctl"), [*arguments, f"--options={self._options()}"], self.home)
        if launched.returncode == 0:
            return True
        if self._postmaster() is not None:
            # Still recovering after all the time it was given.
            return False
        said = self._end_of_log(before) or last_lines(launched.stderr)
        if not _PASSING_TROUBLES.search(said):
            raise StrandlineError(f"Postgres did not start:\n{said}", f"put that right and start again; see {self.log}")
        return False

    def _options(self) -> str:
        fixed = {"unix_socket_directories": str(self._client.socket_directory), "port": str(PORT)}
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in (self._settings | fixed).items())

    def _take_down(self, account: Account) -> None:
        arguments = ["stop", "--mode=fast", "--wait", f"--timeout={self._patience}", "--silent", "--pgdata=data"]
        stopped = account.run(self._programs.path("pg_ctl"), arguments, self.home)
        if stopped.returncode != 0 and self._postmaster() is not None:
            problem = f"Postgres did not stop: {last_lines(stopped.stderr)}"
            raise StrandlineError(problem, f"see {self.log}, and try again")
        # It is made anew by the next start; left under /tmp it would outlive a home that is removed.
        with contextlib.suppress(OSError):
            self._client.socket_directory.rmdir()

    def _postmaster(self) -> int | None:
        """Find the server's living process; a number in its file may belong to another process by now."""
        try:
            number = int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        return number if _works_in(number, self.data) else None

    def _clear_traces_of_the_dead(self) -> None:
        """Remove what would make Postgres believe that it already runs, once nothing answers and its process is gone.

        Postgres recognises a dead server by its process number. That fails when another process has the number now, as
        after the restart of a container, or when nobody has collected the dead process. Processes of the killed server
        that still work are found by the shared memory that they hold, whether or not this file is there.
        """
        file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            os.kill(int(file.read_text().partition("\n")[0]), 0)
            file.unlink()
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (self._client.socket_directory / name).unlink(missing_ok=True)

    def _end_of_log(self, since: int = 0) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(since)
            return last_lines(log.read().decode(errors="replace"))

    def _create_missing_database(self) -> None:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(DATABASE))
        try:
            with self._client.session() as session, session.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    with contextlib.suppress(errors.DuplicateDatabase):
                        cursor.execute(create)
        except psycopg2.Error as error:
            problem = f"Postgres runs, but its database {DATABASE} could not be created: {error}"
            raise StrandlineError(problem.strip(), f"see {self.log}, and start again") from error


def _initdb_arguments(directory: Path) -> list[str]:
    settings = [f"--set={name}={value}" for name, value in _SETTINGS_OF_NEW_DATA.items()]
    return [
        f"--pgdata={directory.name}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
        *settings,
    ]


def _socket_directory(data: Path) -> Path:
    """Choose beside the data if that path can be a socket's address, else a name under /tmp that only it leads to."""
    beside = data.with_name("run")
    short = len(str(beside / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
    if short and re.fullmatch(r"[A-Za-z0-9/._-]+", str(beside)):
        return beside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
    # Not the TMPDIR of this process: another process of the same user may have another one, and must find the server.
    return Path("/tmp") / f"strandline-{Account.for_data(data).uid}-{digest}"  # noqa: S108 - checked before it is used


def _make_socket_directory(directory: Path, account: Account) -> None:
    """Make the directory that guards the server, or refuse one that somebody else could have put in its place."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    ours = found.st_uid in {os.geteuid(), account.uid}
    if not (stat.S_ISDIR(found.st_mode) and ours and stat.S_IMODE(found.st_mode) == stat.S_IRWXU):
        problem = f"{directory} must be a directory of our own that is closed to others, and is not"
        raise StrandlineError(problem, "remove it and start again")
    if found.st_uid != account.uid:
        account.take(directory)


def _works_in(number: int, directory: Path) -> bool:
    """Say whether the process lives and works in the directory, as a Postgres server does in its data."""
    process = Path("/proc") / str(number)
    try:
        return (process / "cwd").samefile(directory)
    except PermissionError:
        # A server that root started as this user has a right more than the user, who may therefore not look that far.
        return _is_living_postgres(process)
    except OSError:
        return not Path("/proc/self").exists() and _is_named_postgres(number)


def _is_living_postgres(process: Path) -> bool:
    with contextlib.suppress(OSError):
        # A dead process that nobody has collected is in state Z.
        return re.match(r"\d+ \(postgres\) [^ZX] ", (process / "stat").read_text()) is not None
    return False


def _is_named_postgres(number: int) -> bool:
    """Ask `ps`, where there is no /proc."""
    asked = subprocess.run(  # noqa: S603 - the number is a number
        ["ps", "-o", "comm=", "-p", str(number)],  # noqa: S607 - `ps` is where the system keeps it
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return Path(asked.stdout.strip()).name == "postgres"


@contextlib.contextmanager
def _system_errors_in_words(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room there" if full else "let STRANDLINE_HOME name a directory that you may write"
        raise StrandlineError(f"cannot keep Postgres in {home}: {error.strerror or error}", remedy) from error
