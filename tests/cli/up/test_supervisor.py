"""supervisord as a child, with small programs: what it brings back, what it leaves, how it ends."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import end, marked
from strandline.cli.up.program import Program
from strandline.cli.up.supervisor import Birth, Death, Supervisor

pytestmark = pytest.mark.slow

WAIT = "import time; time.sleep(600)"
LEAVES_A_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAIT!r}], process_group=0); {WAIT}"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {WAIT}"
TELLS = f"import os; print({{k: v for k, v in os.environ.items() if 'SECRET' in k}}, os.getcwd(), flush=True); {WAIT}"


def python(name: str, code: str, **more: object) -> Program:
    return Program(name, [sys.executable, "-c", code], **more)  # type: ignore[arg-type]


def until(true: Callable[[], bool]) -> None:
    """Wait for it, but not for ever."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Paths:
    """A path longer than a socket's address may be, with what configuration files take for their own."""
    made = Paths(tmp_path / "100% ; # 'quoted'" / ("long" * 30))
    made.make()
    return made


Supervise = Callable[..., Supervisor]


@pytest.fixture
def supervise(place: Paths) -> Iterator[Supervise]:
    """Starts a supervisor of these programs."""
    made: list[Supervisor] = []

    def start(*programs: Program) -> Supervisor:
        made.append(Supervisor(place, {"group": programs}))
        made[-1].start()
        return made[-1]

    yield start
    end(lambda: marked(place.home), lambda: 0.0)
    until(lambda: all(one.pid is None for one in made))


def test_what_is_killed_comes_back_and_is_told(place: Paths, supervise: Supervise) -> None:
    made = supervise(python("one", WAIT), python("other", WAIT))
    made.start_program("one")
    until(lambda: made.processes()["one"].pid is not None)
    first = made.processes()["one"].pid
    assert first is not None
    assert made.processes()["other"].pid is None
    os.kill(first, signal.SIGKILL)
    until(lambda: made.processes()["one"].pid not in {None, first})
    second = made.processes()["one"].pid
    assert second is not None
    assert made.news() == [Birth("one", first), Death("one", first, "terminated by SIGKILL"), Birth("one", second)]
    assert made.news() == []


def test_what_a_killed_program_leaves_is_found_by_its_number(place: Paths, supervise: Supervise) -> None:
    made = supervise(python("one", LEAVES_A_CHILD))
    made.start_program("one")
    until(lambda: len(marked(place.home)) == 3)
    first = made.processes()["one"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: len(marked(place.home)) == 4)
    assert len(marked(place.home, first)) == 1
    assert end(lambda: marked(place.home, first), lambda: 10.0) == []
    assert len(marked(place.home)) == 3


def test_programs_see_their_own_secrets_only(
    place: Paths, supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_PERSON", "inherited")
    made = supervise(
        python("one", TELLS, environment={"SECRET_ONE": "1"}),
        python("two", TELLS, environment={"SECRET_TWO": "2"}, without=["SECRET_OF_PERSON"]),
    )
    for name in ("one", "two"):
        made.start_program(name)
        until(lambda name=name: place.log(name).exists() and "}" in place.log(name).read_text())  # type: ignore[misc]
    seen = {"SECRET_OF_PERSON": "inherited", "SECRET_ONE": "1"}
    assert place.log("one").read_text().strip() == f"{seen} {Path.cwd()}"
    assert place.log("two").read_text().strip() == f"{ {'SECRET_TWO': '2'} } {Path.cwd()}"
    assert not [file for file in place.state.iterdir() if file.is_file() and "SECRET" in file.read_text()]


def test_after_its_end_nothing_is_left(place: Paths, supervise: Supervise) -> None:
    made = supervise(python("one", WAIT), python("two", LEAVES_A_CHILD))
    made.start_program("one")
    made.start_program("two")
    until(lambda: len(marked(place.home)) == 4)
    made.end()
    until(lambda: made.pid is None)
    end(lambda: marked(place.home), lambda: 10.0)
    assert marked(place.home) == []


def test_who_does_not_listen_is_killed(place: Paths, supervise: Supervise) -> None:
    made = supervise(python("one", STUBBORN))
    made.start_program("one")
    until(lambda: place.log("one").exists() and "deaf" in place.log("one").read_text())
    pid = made.processes()["one"].pid
    assert end(lambda: marked(place.home), lambda: 0.3) == [pid]
    assert marked(place.home) == []
    assert made.pid is None


def test_its_next_life_begins_with_what_had_been_started(place: Paths, supervise: Supervise) -> None:
    made = supervise(python("one", WAIT), python("two", WAIT))
    made.start_program("one")
    before = made.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: made.pid is None)
    end(lambda: marked(place.home), lambda: 10.0)
    made.start()
    assert made.pid not in {None, before}
    until(lambda: made.processes()["one"].pid is not None)
    assert made.processes()["two"].pid is None
