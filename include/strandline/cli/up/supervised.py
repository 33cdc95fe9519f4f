"""A program that is started again when it dies or freezes, and known to be healthy or not."""

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from strandline.cli.up.log_file import rotate_if_large
from strandline.cli.up.paths import Paths
from strandline.cli.up.postgres import UNKNOWN_EXIT, Postgres, PostgresProcess
from strandline.cli.up.processes import find_processes, send
from strandline.cli.up.program import Program
from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from subprocess import Popen

_SECONDS_TO_COUNT_AS_STARTED: Final = 10.0
"""A program that dies earlier is started again after 1, 2, 3, … s, one that dies later at once."""

_LONGEST_DELAY: Final = 30.0
LONGEST_SILENCE: Final = 30.0
"""Besides what each check allows: a program that does not answer for longer is killed."""

_SECONDS_FOR_ORPHANS: Final = 5.0


class State(StrEnum):
    """From its start to healthy, and back."""

    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "not answering"
    DOWN = "down"


class Supervised:
    """`since` is when its state changed, in seconds since 1970."""

    def __init__(self, program: Program | Postgres, paths: Paths, report: Callable[[str], None]) -> None:
        self.name = program.name
        self.log = paths.log(program.name)
        self.checked_through = program.checked_through
        self.state = State.DOWN
        self.since = time.time()
        self.restarts = 0
        self._program = program
        self._home = paths.home
        self._report = report
        self._process: Popen[bytes] | PostgresProcess | None = None
        self._started_at = 0.0
        self._early_deaths = 0
        self._start_not_before = 0.0
        self._kill_orphans_at = 0.0
        self._death = ""

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        process = self._process
        return None if process is None else process.pid

    def check(self) -> None:
        """Find out whether it does its work. That may take long: it may die and come back meanwhile."""
        process = self._process
        healthy = process is not None and self._program.is_healthy(time.monotonic() - self._started_at)
        if process is None or process is not self._process:
            return
        if healthy and self.state is not State.HEALTHY:
            self._enter(State.HEALTHY)
            if self.restarts:
                self._report(f"{self.name} is healthy again")
        elif not healthy and self.state is State.HEALTHY:
            self._enter(State.SILENT)

    def kill_if_frozen(self, checked_through: Iterable["Supervised"], silence: float) -> None:
        """Kill it if it is silent for long while all that it is checked through is healthy; `poll` starts it again."""
        process, through = self._process, list(checked_through)
        if process is None or self.state is not State.SILENT or any(one.state is not State.HEALTHY for one in through):
            return
        if time.time() - max(one.since for one in (self, *through)) > silence:
            self._report(f"{self.name} has not answered for {silence:.0f} s and is killed")
            self._enter(State.SILENT)
            process.kill()

    def poll(self) -> None:
        """Notice its death; start it as soon as nothing of its last life is left."""
        with suppress(OSError):  # the disk is full
            rotate_if_large(self.log)
        if self._process is not None:
            if (exit_code := self._process.poll()) is None:
                return
            self._note_death(_describe_exit(exit_code))
        if time.monotonic() >= self._start_not_before and not self._has_orphans():
            self._start()

    def terminate(self) -> None:
        """Ask the program itself to end, so that it can let its children finish."""
        if self._process is not None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self._process is None or self._process.poll() is not None

    def _start(self) -> None:
        self._started_at = time.monotonic()
        try:
            self._process = self._program.launch(self._home, self.log)
        except (OSError, StrandlineError) as error:  # no memory, no file handles, a full disk
            if isinstance(error, StrandlineError) and not self._death:
                raise  # a person watches the first start
            self._note_death(f"could not be started ({error})")
            self._report(f"{self.name} {self._death}; it is tried again")
            return
        self._enter(State.STARTING)
        if self._death:
            self.restarts += 1
            self._report(f"{self.name} {self._death}; restarted, pid {self._process.pid}; see {self.log}")
            self._death = ""

    def _note_death(self, description: str) -> None:
        now = time.monotonic()
        early = now - self._started_at < _SECONDS_TO_COUNT_AS_STARTED
        self._early_deaths = self._early_deaths + 1 if early else 0
        self._start_not_before = now + min(self._early_deaths, _LONGEST_DELAY)
        self._kill_orphans_at = now + _SECONDS_FOR_ORPHANS
        self._process, self._death = None, description
        self._enter(State.DOWN)
        send(find_processes(self._home, [self.name]), signal.SIGTERM)

    def _has_orphans(self) -> bool:
        """A scheduler that is killed leaves its workers, and they their tasks; nothing else would ever end them."""
        orphans = find_processes(self._home, [self.name]) if self._death else []
        if orphans and time.monotonic() >= self._kill_orphans_at:
            send(orphans, signal.SIGKILL)
        return bool(orphans)

    def _enter(self, state: State) -> None:
        self.state, self.since = state, time.time()


def _describe_exit(code: int) -> str:
    if code == UNKNOWN_EXIT:
        return "died"
    if code >= 0:
        return f"ended by itself (exit status {code})"
    with suppress(ValueError):
        return f"was killed ({signal.Signals(-code).name})"
    return f"was killed (signal {-code})"
