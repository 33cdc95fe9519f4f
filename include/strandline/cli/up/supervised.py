"""One program as a child process that is started again when it dies."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from strandline.cli.up.log_file import open_log, rotate_if_large
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import find_processes, marks, send
from strandline.cli.up.program import Program

_SECONDS_TO_COUNT_AS_STARTED: Final = 10.0
"""A program that dies earlier is started again after 1, 2, 3, … s, one that dies later at once."""

_LONGEST_DELAY: Final = 30.0
_SECONDS_FOR_ORPHANS: Final = 5.0


class SupervisedProgram:
    """Lives in a session of its own, so that the terminal's Ctrl-C does not reach it."""

    def __init__(self, program: Program, paths: Paths, report: Callable[[str], None]) -> None:
        self.name = program.name
        self.wanted = False
        self.restarts = 0
        self._program = program
        self._paths = paths
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._early_deaths = 0
        self._start_not_before = 0.0
        self._kill_orphans_at = 0.0
        self._death = ""

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def is_healthy(self, pid: int, uptime: float) -> bool:
        """Whether it does its work."""
        return self._program.is_healthy(pid, uptime)

    @property
    def uptime(self) -> float:
        """For how many seconds its process has run."""
        return time.monotonic() - self._started_at

    def poll(self) -> None:
        """Notice its death; once nothing of its last life is left, start it."""
        with suppress(OSError):  # the disk is full
            rotate_if_large(self._paths.log(self.name))
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            self._note_death(_describe_exit(self._process.returncode))
        if self.wanted and time.monotonic() >= self._start_not_before and not self._has_orphans():
            try:
                self._start()
            except OSError as error:  # no memory, no file handles, a full disk
                self._started_at = time.monotonic()
                self._note_death(f"could not be started ({error.strerror})")

    def terminate(self) -> None:
        """Ask the program itself to end, so that it can let its children finish."""
        self.wanted = False
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self._process is None or self._process.poll() is not None

    def _start(self) -> None:
        with open_log(self._paths.log(self.name)) as log:
            self._process = subprocess.Popen(  # noqa: S603 - a list without a shell, all of it ours
                self._program.command,
                env={**self._program.full_environment(), **marks(self._paths.home, self.name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        if self._death:
            self.restarts += 1
            see = f"see {self._paths.log(self.name)}"
            self._report(f"{self.name} {self._death}; restarted, pid {self._process.pid}; {see}")
            self._death = ""

    def _note_death(self, description: str) -> None:
        self._process = None
        self._death = description
        early = self.uptime < _SECONDS_TO_COUNT_AS_STARTED
        self._early_deaths = self._early_deaths + 1 if early else 0
        self._start_not_before = time.monotonic() + min(self._early_deaths, _LONGEST_DELAY)
        self._kill_orphans_at = time.monotonic() + _SECONDS_FOR_ORPHANS
        send(find_processes(self._paths.home, [self.name]), signal.SIGTERM)

    def _has_orphans(self) -> bool:
        """A scheduler that is killed leaves its workers, and they their tasks; nothing else would ever end them."""
        if not self._death:
            return False
        orphans = find_processes(self._paths.home, [self.name])
        if orphans and time.monotonic() >= self._kill_orphans_at:
            send(orphans, signal.SIGKILL)
        return bool(orphans)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended by itself (exit status {code})"
    with suppress(ValueError):
        return f"was killed ({signal.Signals(-code).name})"
    return f"was killed (signal {-code})"
