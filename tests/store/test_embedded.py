"""The embedded server: real servers, started, raced, killed, backed up and restored."""

import contextlib
import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells like a module
from sqlalchemy import NullPool, create_engine, text

from strandline.model.errors import StrandlineError
from strandline.store.postgres.account import Account
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role

Make = Callable[..., EmbeddedPostgres]

START = """
import sys
from pathlib import Path
from strandline.store.postgres.server import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print((server.data / "postmaster.pid").read_text().split()[0])
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with making_servers(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the tests that leave it running."""
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    with making_servers(closed) as make, make(closed / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedPostgres:
    """A server that was started once and stopped; its data are only copied."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("created") / "postgres") as server:
        pass
    return server


@pytest.fixture
def make_again(make: Make, created: EmbeddedPostgres) -> Make:
    """Make servers that have been started before: for the tests of what comes after the first start."""

    def make_with_data(**options: Any) -> EmbeddedPostgres:
        server = make(**options)
        server.home.mkdir()
        # It keeps the owner, which shutil does not.
        subprocess.run(["cp", "-a", str(created.data), str(server.data)], check=True)
        return server

    return make_with_data


@pytest.fixture
def server(shared: EmbeddedPostgres) -> EmbeddedPostgres:
    """The shared server, with a table of three rows."""
    run(
        shared,
        "DROP TABLE IF EXISTS numbers",
        "CREATE TABLE numbers (n int)",
        "INSERT INTO numbers VALUES (1), (2), (3)",
    )
    return shared


@contextlib.contextmanager
def making_servers(directory: Path) -> Iterator[Make]:
    """Give a way to make servers below a directory; leave no process there, however the test ends."""
    made: list[EmbeddedPostgres] = []

    def make(home: Path = directory / "postgres", **options: Any) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home, **options))
        return made[-1]

    try:
        yield make
        for server in made:
            server.stop()
        # What was killed with its parent may take a moment to end.
        wait_for(lambda: processes_in(directory) == [])
    finally:
        kill(processes_in(directory))


def processes_in(directory: Path) -> list[int]:
    """The living processes that work in or below a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(directory.resolve()):
                found.append(int(process.name))
    return found


def kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def connect(server: EmbeddedPostgres, database: str = "strandline") -> Connection:
    return psycopg2.connect(server.url(database).replace("+psycopg2", ""))


def run(server: EmbeddedPostgres, *statements: str, database: str = "strandline") -> list[tuple[Any, ...]]:
    """Run statements, each its own transaction; give the rows of the last one."""
    with contextlib.closing(connect(server, database)) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def databases(server: EmbeddedPostgres) -> set[str]:
    return {name for (name,) in run(server, "SELECT datname FROM pg_database WHERE NOT datistemplate")}


def start_elsewhere(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", START, str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


# ---------------------------------------------------------------- starting and stopping


def test_starting_twice_is_one_detached_server(make_again: Make) -> None:
    server = make_again(settings={"work_mem": "5MB"})
    server.stop()

    server.start()
    first = postmaster(server)
    server.start()

    assert postmaster(server) == first
    assert os.getsid(first) == first
    assert run(server, "SHOW work_mem") == [("5MB",)]
    server.stop()
    server.stop()
    assert not server.running


def test_url_connects_through_sqlalchemy_with_the_settings_that_durability_needs(
    shared: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The variables of another Postgres must have no effect.
    monkeypatch.setenv("PGPORT", "5999")
    monkeypatch.setenv("PGDATABASE", "elsewhere")
    engine = create_engine(shared.url(), poolclass=NullPool)
    with engine.connect() as connection:

        def show(name: str) -> str:
            return str(connection.execute(text(f"SHOW {name}")).scalar_one())

        assert connection.execute(text("SELECT current_database()")).scalar_one() == "strandline"
        assert {name: show(name) for name in ("fsync", "synchronous_commit", "data_checksums", "full_page_writes")} == {
            "fsync": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "full_page_writes": "on",
        }
        assert (show("listen_addresses"), show("TimeZone"), show("server_encoding")) == ("", "UTC", "UTF8")
        assert show("server_version") == shared.version


@pytest.mark.parametrize("name", ['it\'s my $HOME; `x` "y" & 100% Größe 海', "/".join(["deep" * 12] * 6)])
def test_home_may_have_any_path(make: Make, tmp_path: Path, name: str) -> None:
    with make(tmp_path / name) as server:
        assert run(server, "SELECT 1") == [(1,)]
        assert "?host=/tmp/strandline-" in server.url()
        assert len(server.url().partition("?host=")[2]) < 60


def test_two_names_of_one_home_are_one_server(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a home").mkdir()
    (tmp_path / "other name").symlink_to(tmp_path / "a home")
    assert make(tmp_path / "other name").url() == make(tmp_path / "a home").url()


def test_directories_above_the_data_stay_closed(shared: EmbeddedPostgres) -> None:
    assert run(shared, "SELECT 1") == [(1,)]
    for closed in (shared.home.parent, shared.home, shared.data, shared.home / "run"):
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE(shared.log.stat().st_mode) == 0o600


def test_runs_as_an_ordinary_user(make: Make, tmp_path: Path) -> None:
    server = make()
    server.home.mkdir()
    # For root: become the other account, which needs no rights of root to start a server on a home of its own.
    account = Account.for_data(server.data)
    account.take(server.home)
    command = [*account.prefix, sys.executable, "-c", START, str(server.home)]
    started = subprocess.run(command, capture_output=True, text=True, check=False)

    assert started.stderr == ""
    assert Path(f"/proc/{postmaster(server)}").stat().st_uid == account.uid == server.data.stat().st_uid
    # Whoever may read everything, such as root, can use and stop it too.
    assert run(server, "SELECT 1") == [(1,)]
    server.start()
    assert postmaster(server) == int(started.stdout)


def test_two_processes_that_start_at_once_share_one_server(make: Make) -> None:
    server = make()
    starters = [start_elsewhere(server.home) for _ in range(3)]
    outcomes = [starter.communicate() for starter in starters]

    assert [error for _, error in outcomes] == [""] * 3
    assert {int(number) for number, _ in outcomes} == {postmaster(server)}


# ---------------------------------------------------------------- being killed


@pytest.mark.parametrize("killed", ["initdb too", "only the caller"])
def test_a_first_start_killed_in_the_middle_starts_again(make: Make, killed: str) -> None:
    server = make()
    with start_elsewhere(server.home) as starter:
        wait_for(lambda: list(server.home.glob("data-unfinished-*/base/1")))
        starter.kill()
        if killed == "initdb too":
            kill(processes_in(server.home))
    assert not server.data.exists()

    server.start()

    assert run(server, "SELECT 1") == [(1,)]
    wait_for(lambda: len(processes_in(server.home)) == len(processes_in(server.data)))
    assert list(server.home.glob("data-unfinished-*")) == []


@pytest.mark.parametrize("killed", ["the postmaster", "every process"])
def test_nothing_committed_is_lost_when_it_is_killed(make_again: Make, killed: str) -> None:
    server = make_again()
    server.start()
    run(server, "CREATE TABLE written (writer int, n int, PRIMARY KEY (writer, n))")
    answered: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        session = connect(server)
        with contextlib.suppress(psycopg2.Error), session.cursor() as cursor:
            for n in itertools.count():
                cursor.execute("INSERT INTO written VALUES (%s, %s)", [writer, n])
                session.commit()
                answered.append((writer, n))
        session.close()

    writers = [threading.Thread(target=write, args=[writer]) for writer in range(4)]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(answered) > 400)
    kill([postmaster(server)] if killed == "the postmaster" else processes_in(server.data))

    server.start()

    for writer in writers:
        writer.join()
    assert set(answered) <= set(run(server, "SELECT writer, n FROM written"))
    assert run(server, "INSERT INTO written VALUES (9, 9) RETURNING n") == [(9,)]


def test_waits_for_the_processes_of_a_killed_server_and_names_them_when_they_stay(make: Make, make_again: Make) -> None:
    server = make_again()
    server.start()
    with contextlib.closing(connect(server)) as session:
        backend = session.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        kill([postmaster(server)])
        wait_for(lambda: processes_in(server.data) == [backend])

        with pytest.raises(StrandlineError, match="pre-existing shared memory block"):
            make(timeout=1).start()
        waking = threading.Timer(0.5, os.kill, [backend, signal.SIGCONT])
        waking.start()
        server.start()
        waking.join()
    assert run(server, "SELECT 1") == [(1,)]


def test_another_process_with_the_number_of_the_dead_one_is_not_the_server(make_again: Make) -> None:
    server = make_again()
    with server:
        remains = (server.data / "postmaster.pid").read_text()
    # Under the server's own account, since Postgres itself passes over processes of others.
    command = [*Account.for_data(server.data).prefix, "sleep", "60"]
    with subprocess.Popen(command) as stranger:
        (server.data / "postmaster.pid").write_text(remains.replace(remains.split()[0], str(stranger.pid), 1))

        assert not server.running
        server.stop()
        assert stranger.poll() is None
        server.start()
        assert run(server, "SELECT 1") == [(1,)]
        assert stranger.poll() is None
        stranger.kill()


# ---------------------------------------------------------------- refusals in words


def test_data_of_another_major_version_is_left_alone(make: Make) -> None:
    with make(major=16) as older:
        assert older.version.startswith("16.")
    with pytest.raises(StrandlineError, match=r"written by Postgres 16, and this is Postgres 18; back it up"):
        make().start()
    assert (older.data / "PG_VERSION").read_text() == "16\n"


def test_a_directory_of_something_else_is_left_alone(make: Make) -> None:
    server = make()
    server.data.mkdir(parents=True)
    Account.for_data(server.data).take(server.data)
    (server.data / "thesis.txt").write_text("precious")
    with pytest.raises(StrandlineError, match="something else than Postgres data; move it away"):
        server.start()
    assert [path.name for path in server.data.iterdir()] == ["thesis.txt"]


def test_data_of_another_user_is_not_touched(make: Make) -> None:
    server = make()
    account = Account.for_data(server.data)
    if not account.prefix:
        # Only root can make what belongs to another user.
        return
    server.data.mkdir(parents=True)
    os.chown(server.data, 12345, 12345)
    command = [*account.prefix, sys.executable, "-c", START, str(server.home)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "belongs to user id 12345, and Postgres would run as user id" in refused.stderr


def test_a_home_that_cannot_be_written_is_reported(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StrandlineError, match=r"cannot keep Postgres in .*STRANDLINE_HOME"):
        make(tmp_path / "file" / "postgres").start()


def test_a_first_start_without_disk_space_is_reported_and_leaves_nothing(make: Make) -> None:
    server = make()
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n{START}"
    command = [sys.executable, "-c", limited, str(server.home)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "StrandlineError: could not create Postgres data in" in refused.stderr
    assert "File too large" in refused.stderr
    assert list(server.home.glob("data*")) == []


def test_a_wrong_setting_is_reported_with_the_end_of_the_log(make_again: Make) -> None:
    with pytest.raises(StrandlineError, match=r'(?s)did not start.*FATAL.*"work_mem".*server\.log'):
        make_again(settings={"work_mem": "plenty"}).start()


@pytest.mark.parametrize("trap", ["link", "open to all"])
def test_a_socket_directory_that_another_could_have_made_is_refused(make: Make, tmp_path: Path, trap: str) -> None:
    server = make(tmp_path / "needs a directory under tmp")
    directory = Path(server.url().partition("?host=")[2])
    try:
        if trap == "link":
            (tmp_path / "trap").mkdir(mode=0o700)
            directory.symlink_to(tmp_path / "trap")
        else:
            directory.mkdir()
            directory.chmod(0o777)
        with pytest.raises(StrandlineError, match="closed to others"):
            server.start()
    finally:
        directory.unlink() if trap == "link" else directory.rmdir()


# ---------------------------------------------------------------- backup and restore


def test_restore_brings_back_the_exact_tables_and_keeps_the_present_ones(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "it's a backup.dump"
    server.backup(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run(server, "DELETE FROM numbers WHERE n = 2", "INSERT INTO numbers VALUES (4)")

    kept = server.restore(file)

    assert run(server, "SELECT n FROM numbers ORDER BY n") == [(1,), (2,), (3,)]
    assert run(server, "SELECT n FROM numbers ORDER BY n", database=kept) == [(1,), (3,), (4,)]
    assert kept.startswith("strandline_before_2")
    assert "strandline_restoring" not in databases(server)
    assert list(tmp_path.glob("*.partial")) == []


def test_restore_on_a_new_server_brings_roles_grants_and_settings(
    server: EmbeddedPostgres, make_again: Make, tmp_path: Path
) -> None:
    for role in Role:
        with contextlib.suppress(psycopg2.errors.DuplicateObject):
            run(server, f"CREATE ROLE {role} NOLOGIN")
    run(
        server,
        "ALTER TABLE numbers OWNER TO strandline_owner",
        "GRANT SELECT ON numbers TO strandline_ui",
        "ALTER DEFAULT PRIVILEGES FOR ROLE strandline_owner IN SCHEMA public GRANT SELECT ON TABLES TO strandline_app",
        "ALTER DATABASE strandline SET work_mem = '7MB'",
        "ALTER ROLE strandline_ui IN DATABASE strandline SET statement_timeout = '9s'",
        "REVOKE ALL ON DATABASE strandline FROM PUBLIC",
        "GRANT CONNECT ON DATABASE strandline TO strandline_ui",
    )
    rights = """
        SELECT r.rolname, r.rolcanlogin, has_table_privilege(r.oid, 'numbers', 'SELECT'),
               has_database_privilege(r.oid, 'strandline', 'CONNECT'),
               (SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                WHERE setrole = r.oid AND datname = 'strandline'),
               (SELECT defaclacl::text FROM pg_default_acl WHERE defaclrole = r.oid)
        FROM pg_roles r WHERE rolname LIKE 'strandline%' ORDER BY 1"""
    expected = run(server, rights)
    assert len(expected) == len(Role)
    server.backup(tmp_path / "file")

    with make_again(settings={"fsync": "off"}) as other:
        other.restore(tmp_path / "file")
        assert run(other, rights) == expected
        assert run(other, "SHOW work_mem") == [("7MB",)]


@pytest.mark.parametrize("lost_bytes", [1, 100, 50_000, -500])
def test_a_truncated_backup_is_refused_and_changes_nothing(
    server: EmbeddedPostgres, tmp_path: Path, lost_bytes: int
) -> None:
    run(server, "INSERT INTO numbers SELECT hashint4(n) FROM generate_series(1, 20000) AS n")
    file = tmp_path / "file"
    server.backup(file)
    os.truncate(file, -lost_bytes if lost_bytes < 0 else file.stat().st_size - lost_bytes)
    run(server, "INSERT INTO numbers VALUES (4)")
    before = databases(server)

    with pytest.raises(StrandlineError, match=r"is not a whole backup|could not be restored"):
        server.restore(file)

    assert run(server, "SELECT count(*) FROM numbers") == [(20004,)]
    assert databases(server) == before


def test_restore_succeeds_among_clients_that_reconnect_and_after_a_killed_restore(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    server.backup(tmp_path / "file")
    run(server, "CREATE DATABASE strandline_restoring")
    restored = threading.Event()

    def pester() -> None:
        while not restored.is_set():
            with contextlib.suppress(psycopg2.Error):
                run(server, "SELECT n FROM numbers", "SELECT pg_sleep(0.01)")

    clients = [threading.Thread(target=pester) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        with contextlib.closing(connect(server)) as lingering:
            server.restore(tmp_path / "file")
            with pytest.raises(psycopg2.OperationalError), lingering.cursor() as cursor:
                cursor.execute("SELECT 1")
    finally:
        restored.set()
        for client in clients:
            client.join()
    assert run(server, "SELECT count(*) FROM numbers") == [(3,)]


def test_only_one_restore_at_a_time(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.backup(tmp_path / "file")
    with contextlib.closing(connect(server, "postgres")) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('strandline_restoring'))")
        with pytest.raises(StrandlineError, match="another restore"):
            server.restore(tmp_path / "file")


def test_backup_overwrites_nothing(server: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(StrandlineError, match="never overwritten"):
        server.backup(tmp_path / "file")
    (tmp_path / "other.partial").write_text("precious")
    with pytest.raises(StrandlineError, match="another backup is writing it"):
        server.backup(tmp_path / "other")
    with pytest.raises(StrandlineError, match=r"cannot write .*No such file or directory"):
        server.backup(tmp_path / "nowhere" / "file")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious", "precious"]


def test_a_backup_that_fails_leaves_no_file(server: EmbeddedPostgres, tmp_path: Path) -> None:
    run(server, "ALTER DATABASE strandline RENAME TO elsewhere", database="postgres")
    try:
        with pytest.raises(StrandlineError, match='"strandline" does not exist'):
            server.backup(tmp_path / "file")
    finally:
        run(server, "ALTER DATABASE elsewhere RENAME TO strandline", database="postgres")
    assert list(tmp_path.iterdir()) == []


def test_backup_and_restore_need_a_running_server(make: Make, tmp_path: Path) -> None:
    with pytest.raises(StrandlineError, match="not running; start it with: strandline pg start"):
        make().backup(tmp_path / "file")
    with pytest.raises(StrandlineError, match="not running"):
        make().restore(tmp_path / "file")


def test_what_is_not_a_backup_is_refused(server: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a backup")
    with pytest.raises(StrandlineError, match="is not a whole backup"):
        server.restore(tmp_path / "file")
    with pytest.raises(StrandlineError, match="there is no file"):
        server.restore(tmp_path / "nothing")
