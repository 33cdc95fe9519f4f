"""Creates, starts and stops the embedded PostgreSQL server in a directory of its own."""

import contextlib
import errno
import fcntl
import os
import re
import shlex
import shutil
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
from strandline.store.postgres.account import Account
from strandline.store.postgres.backup import restore_backup, sync_directory, write_backup
from strandline.store.postgres.client import PORT, SOCKET_NAME, SUPERUSER, Client
from strandline.store.postgres.process import is_server_of
from strandline.store.postgres.programs import Programs, last_lines
from strandline.store.postgres.socket_directory import make_socket_directory, socket_directory

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
# These pass by themselves: processes of a killed server end as soon as they notice.
_TEMPORARY_FAILURES = re.compile(r'pre-existing shared memory block|lock file ".*" already exists')
_SECONDS_BETWEEN_ATTEMPTS = 0.2


class EmbeddedPostgres:
    """One server, whose data and log live under `home`; it goes on running when this process ends."""

    def __init__(
        self, home: Path, *, major: int = 18, settings: Mapping[str, str] | None = None, timeout: int = 120
    ) -> None:
        """Keep it in `home`, with these `settings` while it runs; starting and stopping may take `timeout` seconds."""
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self._programs = Programs(major)
        self._settings = dict(settings or {})
        self._timeout = timeout

    def start(self) -> None:
        """Start the server unless it runs, and create its database; several processes may call this at once."""
        with self._locked() as lock:
            account = self._account()
            account.check(self._programs)
            make_socket_directory(self._client.socket_directory, account)
            if not (self.data / "PG_VERSION").exists():
                self._create_data(account, lock)
            self._check_major()
            self._start_server(account)
            self._create_missing_database()

    def stop(self) -> None:
        """Disconnect the clients and shut down; does nothing when it does not run."""
        if not os.path.lexists(self.home):
            return
        with self._locked():
            account = self._account()
            if self._postmaster() is not None:
                self._stop_server(account)
            elif self.running:
                problem = f"the server of {self.data} answers, but its process cannot be seen from here"
                raise StrandlineError(problem, "stop it where it was started: another container, or another user")

    @property
    def running(self) -> bool:
        """Return whether it accepts connections."""
        return self._client.answers()

    @property
    def pid(self) -> int | None:
        """Return the id of the server's process, whether or not it accepts connections yet."""
        return self._postmaster()

    @property
    def version(self) -> str:
        """Return the version of the running server, such as 18.4."""
        self._client.require_server()
        with self._client.session() as session:
            return session.info.parameter_status("server_version") or str(self._programs.major)

    def url(self, database: str = DATABASE) -> str:
        """Return the URL for SQLAlchemy. It names a host too, because Airflow and Great Expectations insist on one."""
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
        """Replace the database by a backup, and return the name under which the old one is kept."""
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
        return Client(self._programs, socket_directory(self.data))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the home's lock, so that two processes never start or stop the same server at once."""
        with _explaining_system_errors(self.home):
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

    def _start_server(self, account: Account) -> None:
        deadline = time.monotonic() + self._timeout
        while not self.running:
            if time.monotonic() > deadline:
                problem = f"Postgres did not answer within {self._timeout} s; its log ends:\n{self._last_log_lines()}"
                remedy = f"it may still be recovering: try again, or stop it (strandline pg stop) and read {self.log}"
                raise StrandlineError(problem, remedy)
            if self._postmaster() is None:
                self._remove_stale_files()
                if self._launch(account):
                    continue
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)

    def _launch(self, account: Account) -> bool:
        """Start the server once, in a session of its own, so that Ctrl-C at the caller's terminal does not reach it.

        Returns False if it did not start for a reason that passes by itself.
        """
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.rename(self.log.with_suffix(".log.1"))
        before = self.log.stat().st_size if self.log.exists() else 0
        # Relative names from `home`: pg_ctl passes them through a shell, and home may hold any character.
        arguments = ["start", "--wait", f"--timeout={self._timeout}", "--silent", "--pgdata=data", "--log=server.log"]
        launched = account.run(self._programs.path("pg_ctl"), [*arguments, f"--options={self._options()}"], self.home)
        if launched.returncode == 0:
            return True
        if self._postmaster() is not None:
            # Still recovering after all the time it was given.
            return False
        output = self._last_log_lines(before) or last_lines(launched.stderr)
        if not _TEMPORARY_FAILURES.search(output):
            raise StrandlineError(
                f"Postgres did not start:\n{output}", f"put that right and start again; see {self.log}"
            )
        return False

    def _options(self) -> str:
        fixed = {"unix_socket_directories": str(self._client.socket_directory), "port": str(PORT)}
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in (self._settings | fixed).items())

    def _stop_server(self, account: Account) -> None:
        arguments = ["stop", "--mode=fast", "--wait", f"--timeout={self._timeout}", "--silent", "--pgdata=data"]
        stopped = account.run(self._programs.path("pg_ctl"), arguments, self.home)
        if stopped.returncode != 0 and self._postmaster() is not None:
            problem = f"Postgres did not stop: {last_lines(stopped.stderr)}"
            raise StrandlineError(problem, f"see {self.log}, and try again")
        # It is made anew by the next start; left under /tmp it would outlive a home that is removed.
        with contextlib.suppress(OSError):
            self._client.socket_directory.rmdir()

    def _postmaster(self) -> int | None:
        """Return the id of the server's process if it lives."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_server_of(self.data, pid) else None

    def _remove_stale_files(self) -> None:
        """Remove the files that would make Postgres believe that it already runs, after its process is gone.

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

    def _last_log_lines(self, since: int = 0) -> str:
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


@contextlib.contextmanager
def _explaining_system_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room there" if full else "let STRANDLINE_HOME name a directory that you may write"
        raise StrandlineError(f"cannot keep Postgres in {home}: {error.strerror or error}", remedy) from error
