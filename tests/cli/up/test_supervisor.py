"""Supervision of small programs: what is restarted, what is left, how they end."""

import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import create_engine

from strandline.cli.up.components import API_SERVER, airflow_programs, scheduler, sidecar
from strandline.cli.up.log_file import rotate_if_large
from strandline.cli.up.paths import Paths
from strandline.cli.up.postgres import POSTGRES, Postgres
from strandline.cli.up.processes import end, find_processes
from strandline.cli.up.program import Program
from strandline.cli.up.supervised import State
from strandline.cli.up.supervised import Supervised as SupervisedProgram
from strandline.cli.up.supervisor import Supervisor
from strandline.store.postgres.server import EmbeddedPostgres

pytestmark = pytest.mark.slow

WAIT = "import time; time.sleep(600)"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAIT!r}], process_group=0); {WAIT}"
IGNORES_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {WAIT}"
WITH_STUBBORN_CHILD = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {IGNORES_SIGTERM!r}], process_group=0); {WAIT}"
)
PRINTS_SECRETS = f"""
import os
print({{k: v for k, v in os.environ.items() if k.startswith('SECRET_')}}, os.getcwd(), flush=True)
{WAIT}
"""
WRITES_ITS_END = f"""
import signal, sys, time
def end(*_):
    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
{WAIT}
"""


def python(name: str, code: str, *arguments: str, **more: object) -> Program:
    return Program(name, [sys.executable, "-c", code, *arguments], lambda *_: True, **more)  # type: ignore[arg-type]


class Supervised:
    """A supervisor of some programs, and what it reported besides starts and ends."""

    def __init__(self, paths: Paths, silence: float = 60.0) -> None:
        self.paths = paths
        self.reports: list[str] = []
        self.supervisor = Supervisor(paths, self._report, silence)

    def _report(self, message: str) -> None:
        if not message.startswith(("starting", "ending")):
            self.reports.append(message)

    def program(self, name: str) -> SupervisedProgram:
        return next(one for one in self.supervisor.running if one.name == name)

    def pid(self, name: str) -> int | None:
        return self.program(name).pid

    def start(self, *programs: Program) -> int:
        """Start a group; return the process of its first program."""
        self.supervisor.start(*programs)
        pid = self.pid(programs[0].name)
        assert pid is not None
        return pid

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Supervise, but not for ever."""
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline
            self.supervisor.poll()
            time.sleep(0.02)

    def wait_for_log(self, name: str, text: str) -> str:
        log = self.paths.log(name)
        self.wait_until(lambda: log.exists() and text in log.read_text())
        return log.read_text()

    def processes(self) -> list[psutil.Process]:
        return find_processes(self.paths.home)

    def end(self, seconds: float = 10.0) -> set[str]:
        return self.supervisor.end(lambda _: lambda: seconds)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A long path with characters that configuration files and shells give a meaning."""
    made = Paths(tmp_path / "100% ; # 'quoted' für alle" / ("long" * 30))
    made.make()
    return made


@pytest.fixture
def supervised(paths: Paths) -> Iterator[Supervised]:
    """A supervisor, whose programs end with the test."""
    made = Supervised(paths)
    yield made
    made.end(0.0)
    end(made.processes, lambda: 0.0)


def test_a_killed_program_is_restarted_and_reported(supervised: Supervised) -> None:
    first = supervised.start(python("one", WAIT))
    os.kill(first, signal.SIGKILL)
    supervised.wait_until(lambda: bool(supervised.reports))
    second = supervised.pid("one")
    assert second not in {None, first}
    log = supervised.paths.log("one")
    assert supervised.reports == [f"one was killed (SIGKILL); restarted, pid {second}; see {log}"]
    assert supervised.program("one").restarts == 1


def test_a_program_that_dies_at_once_is_restarted_ever_more_slowly(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(
        "strandline.cli.up.supervised.time", types.SimpleNamespace(monotonic=lambda: now, time=time.time)
    )
    supervised.start(python("one", "import sys; sys.exit('no reason')"))
    program = supervised.program("one")
    for delay in (1, 2, 3):
        supervised.wait_until(lambda: program.pid is None)
        now += delay - 0.01
        supervised.supervisor.poll()
        assert program.pid is None
        now += 0.02
        supervised.wait_until(lambda: program.pid is not None)
    # One that has run for longer is restarted at once.
    assert program.restarts == 3
    now += 10
    supervised.wait_until(lambda: program.restarts == 4)
    assert "one ended by itself (exit status 1); restarted" in supervised.reports[0]
    assert supervised.paths.log("one").read_text().count("no reason") >= 3
    # Nobody waits for it: others are started meanwhile.
    supervised.start(python("other", WAIT))


def test_a_command_that_does_not_exist_does_not_end_the_supervision(supervised: Supervised) -> None:
    supervised.supervisor.start(Program("none", ["/does/not/exist"], lambda _: True))
    assert supervised.reports == [
        "none could not be started ([Errno 2] No such file or directory: '/does/not/exist'); it is tried again"
    ]
    os.kill(supervised.start(python("other", WAIT)), signal.SIGKILL)
    supervised.wait_until(lambda: any(report.startswith("other was killed") for report in supervised.reports))


@pytest.mark.parametrize("code", [WITH_CHILD, WITH_STUBBORN_CHILD])
def test_what_a_killed_program_leaves_is_ended_before_its_next_life(supervised: Supervised, code: str) -> None:
    first, other = supervised.start(python("one", code)), supervised.start(python("other", WITH_CHILD))
    supervised.wait_until(lambda: len(supervised.processes()) == 4)
    before = {process.pid for process in supervised.processes()}
    others = {process.pid for process in supervised.processes() if os.getsid(process.pid) == other}
    os.kill(first, signal.SIGKILL)
    supervised.wait_until(lambda: bool(supervised.reports))
    assert before & {process.pid for process in supervised.processes()} == others
    supervised.wait_until(lambda: len(supervised.processes()) == 4)


def test_programs_see_their_own_secrets_only(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_PERSON", "inherited")
    supervised.start(
        python("one", PRINTS_SECRETS, environment={"SECRET_ONE": "1"}),
        python("two", PRINTS_SECRETS, environment={"SECRET_TWO": "2"}, without=["SECRET_OF_PERSON"]),
    )
    seen = {"SECRET_OF_PERSON": "inherited", "SECRET_ONE": "1"}
    # Python may write the parts of a line one after the other.
    assert supervised.wait_for_log("one", "\n").strip() == f"{seen} {Path.cwd()}"
    assert supervised.wait_for_log("two", "\n").strip() == f"{ {'SECRET_TWO': '2'} } {Path.cwd()}"
    home = supervised.paths.home
    assert not [file for file in home.rglob("*") if file.suffix != ".log" and file.is_file()]


def test_groups_end_in_order_and_nothing_is_left(supervised: Supervised) -> None:
    ended = supervised.paths.home / "ended"
    names = ("first", "second", "third")
    for name in names:
        supervised.start(python(name, WRITES_ITS_END, str(ended), name))
        supervised.wait_for_log(name, "ready")
    supervised.start(python("with child", WITH_CHILD))
    supervised.wait_until(lambda: len(supervised.processes()) == 5)
    assert supervised.end() == set()
    assert supervised.processes() == []
    assert ended.read_text().split() == ["third", "second", "first"]
    assert supervised.reports == []


def test_a_program_that_ignores_sigterm_is_killed(supervised: Supervised) -> None:
    pid = supervised.start(python("one", IGNORES_SIGTERM))
    supervised.wait_for_log("one", "ready")
    assert supervised.end(0.3) == {f"one {pid}"}
    assert supervised.processes() == []


def test_a_frozen_program_ends_too(supervised: Supervised) -> None:
    pid = supervised.start(python("one", WITH_CHILD))
    supervised.wait_until(lambda: len(supervised.processes()) == 2)
    before = {f"one {process.pid}" for process in supervised.processes()}
    os.kill(pid, signal.SIGSTOP)
    # Until it has really stopped, a SIGTERM that follows is still delivered, and before the SIGSTOP.
    supervised.wait_until(lambda: bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED))
    assert supervised.end(0.3) == before
    assert supervised.processes() == []


class TestHealth:
    """Checked in a thread, which keeps nothing waiting."""

    def test_each_state_is_seen(self, supervised: Supervised) -> None:
        healthy = threading.Event()
        supervised.supervisor.start(Program("one", [sys.executable, "-c", WAIT], lambda _: healthy.is_set()))
        program = supervised.program("one")
        assert program.state == "starting"
        healthy.set()
        supervised.wait_until(lambda: program.state is State.HEALTHY)
        healthy.clear()
        supervised.wait_until(lambda: program.state is State.SILENT)
        assert program.pid is not None
        os.kill(program.pid, signal.SIGKILL)
        supervised.wait_until(lambda: program.state is State.STARTING)
        healthy.set()
        supervised.wait_until(lambda: len(supervised.reports) == 2)
        assert program.state == "healthy"
        assert supervised.reports[1] == "one is healthy again"

    def test_a_check_that_hangs_keeps_nothing_from_restarting_or_ending(self, supervised: Supervised) -> None:
        hanging, over = threading.Event(), threading.Event()

        def hang(_: float) -> bool:
            hanging.set()
            return over.wait()

        try:
            pid = supervised.start(Program("one", [sys.executable, "-c", WAIT], hang))
            supervised.wait_until(hanging.is_set)
            os.kill(pid, signal.SIGKILL)
            supervised.wait_until(lambda: bool(supervised.reports))
            assert supervised.end() == set()
        finally:
            over.set()
        # What it found out about the process that died is not said of the one that came after it.
        assert supervised.reports == [supervised.reports[0]]

    def test_an_error_of_a_check_is_raised(self, supervised: Supervised) -> None:
        def fail(_: float) -> bool:
            raise KeyError("status")

        supervised.start(Program("one", [sys.executable, "-c", WAIT], fail))
        with pytest.raises(KeyError, match="status"):
            supervised.wait_until(lambda: False)


class TestFrozen:
    """A program that freezes is started again; one that only cannot be asked is left alone."""

    SILENCE = 0.6
    SHOWS_LIFE = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(0.02)
"""

    @pytest.fixture
    def supervised(self, paths: Paths) -> Iterator[Supervised]:
        made = Supervised(paths, self.SILENCE)
        yield made
        made.end(0.0)

    def program(self, supervised: Supervised, name: str, *through: str) -> Program:
        """A program that touches a file as long as it lives; its check sees nothing if another one is frozen."""
        files = [supervised.paths.home / one for one in (name, *through)]

        def shows_life(_uptime: float) -> bool:
            return all(file.exists() and time.time() - file.stat().st_mtime < 0.3 for file in files)

        command = [sys.executable, "-c", self.SHOWS_LIFE, str(files[0])]
        return Program(name, command, shows_life, checked_through=through)

    def start(self, supervised: Supervised, *programs: Program) -> int:
        pid = supervised.start(*programs)
        supervised.wait_until(lambda: all(one.state is State.HEALTHY for one in supervised.supervisor.running))
        return pid

    def test_a_frozen_program_is_killed_and_started_again(self, supervised: Supervised) -> None:
        frozen = self.start(supervised, self.program(supervised, "one"))
        os.kill(frozen, signal.SIGSTOP)
        since = time.monotonic()
        supervised.wait_until(lambda: supervised.pid("one") not in {None, frozen})
        assert time.monotonic() - since > self.SILENCE
        supervised.wait_until(lambda: "one is healthy again" in supervised.reports)
        assert supervised.reports[0] == "one has not answered for 1 s and is killed"
        assert supervised.reports[1].startswith("one was killed (SIGKILL); restarted")
        assert len(supervised.reports) == 3

    def test_what_is_checked_through_a_frozen_program_is_not_killed(self, supervised: Supervised) -> None:
        """The api-server says whether the scheduler lives; frozen, it says nothing about it."""
        api, scheduler = self.program(supervised, "api"), self.program(supervised, "scheduler", "api")
        os.kill(self.start(supervised, api, scheduler), signal.SIGSTOP)
        supervised.wait_until(lambda: "api is healthy again" in supervised.reports)
        supervised.wait_until(lambda: supervised.program("scheduler").state is State.HEALTHY)
        assert supervised.program("api").restarts == 1
        assert supervised.program("scheduler").restarts == 0

    def test_a_program_that_is_silent_for_a_moment_is_left_alone(self, supervised: Supervised) -> None:
        pid = self.start(supervised, self.program(supervised, "one"))
        os.kill(pid, signal.SIGSTOP)
        supervised.wait_until(lambda: supervised.program("one").state is State.SILENT)
        os.kill(pid, signal.SIGCONT)
        supervised.wait_until(lambda: supervised.program("one").state is State.HEALTHY)
        time.sleep(2 * self.SILENCE)
        assert supervised.reports == []

    def test_a_frozen_postgres_ends_too(self, tmp_path: Path) -> None:
        postgres = Postgres(tmp_path)
        first = postgres.launch(tmp_path, tmp_path)
        try:
            os.kill(first.pid, signal.SIGSTOP)
            first.kill()
            deadline = time.monotonic() + 20
            while first.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            second = postgres.launch(tmp_path, tmp_path)
            assert second.pid != first.pid
            assert postgres.is_healthy(0.0)
        finally:
            EmbeddedPostgres(tmp_path).stop()

    def test_a_scheduler_whose_workers_take_no_task_does_not_work(self) -> None:
        class Client:
            has_heartbeat = staticmethod(lambda *_: True)
            workers_take_tasks = staticmethod(lambda uptime: uptime < 5)

        program = scheduler({}, Client())  # type: ignore[arg-type]
        assert program.is_healthy(4.0)
        assert not program.is_healthy(6.0)
        assert set(program.checked_through) == {POSTGRES, API_SERVER}

    def test_each_part_is_checked_through_what_its_check_asks(self) -> None:
        database = create_engine("postgresql+psycopg2://never-connected")
        client: Any = None
        programs = [sidecar({}, database), *airflow_programs({}, client)]
        assert {program.name: set(program.checked_through) for program in programs} == {
            "sidecar": {POSTGRES},
            API_SERVER: {POSTGRES},
            "dag-processor": {POSTGRES, API_SERVER},
            "triggerer": {POSTGRES, API_SERVER},
        }


class TestLogs:
    """Bounded, however much a program writes."""

    def test_a_program_goes_on_in_the_emptied_file(self, supervised: Supervised) -> None:
        code = f"import sys\nprint('before', flush=True)\nsys.stdin\n{WAIT}"
        pid = supervised.start(python("one", code))
        supervised.wait_for_log("one", "before\n")
        log = supervised.paths.log("one")
        rotate_if_large(log, largest=3)
        assert log.read_text() == ""
        assert log.with_name("one.log.1").read_text() == "before\n"
        # Its next life appends to the same file.
        os.kill(pid, signal.SIGKILL)
        assert supervised.wait_for_log("one", "before\n") == "before\n"

    def test_what_is_written_by_an_open_program_has_no_holes(self, tmp_path: Path) -> None:
        from strandline.cli.up.log_file import open_log

        file = tmp_path / "log"
        with open_log(file) as written:
            for number in range(8):
                written.write(b"%d" % number * 10)
                written.flush()
                rotate_if_large(file, largest=9)
        kept = {path.name: path.read_text() for path in tmp_path.glob("log*")}
        assert kept == {"log": "", "log.1": "7" * 10}

    def test_a_small_log_stays(self, tmp_path: Path) -> None:
        file = tmp_path / "log"
        file.write_text("small")
        rotate_if_large(file, largest=5)
        assert [path.name for path in tmp_path.glob("log*")] == ["log"]
