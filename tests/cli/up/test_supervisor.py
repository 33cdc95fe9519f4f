"""Supervision of small programs: what is restarted, what is left, how they end."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from strandline.cli.up.log_file import rotate_if_large
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import end, find_processes
from strandline.cli.up.program import Program
from strandline.cli.up.supervisor import Supervisor

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


def wait_until(true: Callable[[], bool]) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Supervised:
    """A supervisor of some programs, and what it reported."""

    def __init__(self, paths: Paths, *groups: list[Program]) -> None:
        self.paths = paths
        self.reports: list[str] = []
        self.supervisor = Supervisor(paths, groups, self.reports.append)
        self.supervisor.start()

    def pid(self, name: str) -> int | None:
        return self.supervisor.programs[name].pid

    def start(self, name: str) -> int:
        self.supervisor.start_program(name)
        wait_until(lambda: self.pid(name) is not None)
        pid = self.pid(name)
        assert pid is not None
        return pid

    def wait_for_log(self, name: str, text: str) -> str:
        log = self.paths.log(name)
        wait_until(lambda: log.exists() and text in log.read_text())
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


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(paths: Paths) -> Iterator[Supervise]:
    """Starts a supervisor of groups of programs."""
    made: list[Supervised] = []

    def start(*groups: list[Program]) -> Supervised:
        made.append(Supervised(paths, *groups))
        return made[-1]

    yield start
    for one in made:
        one.end(0.0)
    end(lambda: find_processes(paths.home), lambda: 0.0)


def test_a_killed_program_is_restarted_and_reported(paths: Paths, supervise: Supervise) -> None:
    supervised = supervise([python("one", WAIT), python("other", WAIT)])
    first = supervised.start("one")
    assert supervised.pid("other") is None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: bool(supervised.reports))
    second = supervised.pid("one")
    assert second not in {None, first}
    assert supervised.reports == [f"one was killed (SIGKILL); restarted, pid {second}; see {paths.log('one')}"]
    assert supervised.supervisor.programs["one"].restarts == 1


def test_a_program_that_dies_at_once_is_restarted_ever_more_slowly(paths: Paths, supervise: Supervise) -> None:
    supervised = supervise([python("one", "import sys; sys.exit('no reason')"), python("other", WAIT)])
    supervised.supervisor.start_program("one")
    program = supervised.supervisor.programs["one"]
    times: list[float] = []
    while len(times) < 3:
        wait_until(lambda: len(supervised.reports) > len(times))
        times.append(time.monotonic())
    assert times[2] - times[1] > times[1] - times[0] > 1.5
    assert program.restarts == 3
    assert "one ended by itself (exit status 1); restarted" in supervised.reports[0]
    assert paths.log("one").read_text().count("no reason") >= 3
    # Nobody waits for it: others are started meanwhile.
    supervised.start("other")


def test_a_command_that_does_not_exist_does_not_end_the_supervision(supervise: Supervise) -> None:
    supervised = supervise([Program("none", ["/does/not/exist"], lambda *_: True), python("other", WAIT)])
    supervised.supervisor.start_program("none")
    os.kill(supervised.start("other"), signal.SIGKILL)
    wait_until(lambda: any(report.startswith("other was killed") for report in supervised.reports))
    assert supervised.supervisor.failure is None


@pytest.mark.parametrize("code", [WITH_CHILD, WITH_STUBBORN_CHILD])
def test_what_a_killed_program_leaves_is_ended_before_its_next_life(supervise: Supervise, code: str) -> None:
    supervised = supervise([python("one", code), python("other", WITH_CHILD)])
    first, other = supervised.start("one"), supervised.start("other")
    wait_until(lambda: len(supervised.processes()) == 4)
    before = {process.pid for process in supervised.processes()}
    others = {process.pid for process in supervised.processes() if os.getsid(process.pid) == other}
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: bool(supervised.reports))
    assert before & {process.pid for process in supervised.processes()} == others
    wait_until(lambda: len(supervised.processes()) == 4)


def test_programs_see_their_own_secrets_only(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_PERSON", "inherited")
    supervised = supervise(
        [
            python("one", PRINTS_SECRETS, environment={"SECRET_ONE": "1"}),
            python("two", PRINTS_SECRETS, environment={"SECRET_TWO": "2"}, without=["SECRET_OF_PERSON"]),
        ]
    )
    for name in ("one", "two"):
        supervised.start(name)
    seen = {"SECRET_OF_PERSON": "inherited", "SECRET_ONE": "1"}
    assert supervised.wait_for_log("one", "}").strip() == f"{seen} {Path.cwd()}"
    assert supervised.wait_for_log("two", "}").strip() == f"{ {'SECRET_TWO': '2'} } {Path.cwd()}"
    home = supervised.paths.home
    assert not [file for file in home.rglob("*") if file.suffix != ".log" and file.is_file()]


def test_groups_end_in_order_and_nothing_is_left(paths: Paths, supervise: Supervise) -> None:
    ended = paths.home / "ended"
    names = ("first", "second", "third")
    supervised = supervise(*([python(name, WRITES_ITS_END, str(ended), name)] for name in names), [
        python("with child", WITH_CHILD)
    ])  # fmt: skip
    for name in names:
        supervised.start(name)
        supervised.wait_for_log(name, "ready")
    supervised.start("with child")
    wait_until(lambda: len(supervised.processes()) == 5)
    assert supervised.end() == set()
    assert supervised.processes() == []
    assert ended.read_text().split() == ["third", "second", "first"]
    assert supervised.reports == []


def test_a_program_that_ignores_sigterm_is_killed(supervise: Supervise) -> None:
    supervised = supervise([python("one", IGNORES_SIGTERM)])
    pid = supervised.start("one")
    supervised.wait_for_log("one", "ready")
    assert supervised.end(0.3) == {f"one {pid}"}
    assert supervised.processes() == []


def test_a_frozen_program_ends_too(supervise: Supervise) -> None:
    supervised = supervise([python("one", WITH_CHILD)])
    os.kill(supervised.start("one"), signal.SIGSTOP)
    supervised.end(0.3)
    assert supervised.processes() == []


class TestLogs:
    """Bounded, however much a program writes."""

    def test_a_program_goes_on_in_the_emptied_file(self, paths: Paths, supervise: Supervise) -> None:
        code = f"import sys\nprint('before', flush=True)\nsys.stdin\n{WAIT}"
        supervised = supervise([python("one", code)])
        pid = supervised.start("one")
        supervised.wait_for_log("one", "before")
        rotate_if_large(paths.log("one"), largest=3)
        assert paths.log("one").read_text() == ""
        assert paths.log("one").with_name("one.log.1").read_text() == "before\n"
        # Its next life appends to the same file.
        os.kill(pid, signal.SIGKILL)
        assert supervised.wait_for_log("one", "before") == "before\n"

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
