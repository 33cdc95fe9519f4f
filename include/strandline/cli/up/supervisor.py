"""All programs of one home: started, restarted when they die, and ended in order."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from strandline.cli.up.background import BackgroundLoop
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import describe, end, find_processes, send
from strandline.cli.up.program import Program
from strandline.cli.up.supervised import SupervisedProgram

_SECONDS_BETWEEN_POLLS: Final = 0.1
_SECONDS_TO_END: Final = 20.0
_SECONDS_FOR_LEFTOVERS: Final = 5.0

Timeout = Callable[[float], Callable[[], float]]
"""Makes, of a number of seconds, a timeout that may get shorter while it is waited for."""


class Supervisor:
    """Runs groups of programs; a group ends before the groups that stand before it."""

    def __init__(self, paths: Paths, groups: Sequence[Sequence[Program]], report: Callable[[str], None]) -> None:
        self._paths = paths
        self._groups = [[SupervisedProgram(program, paths, report) for program in group] for group in groups]
        self._loop = BackgroundLoop("supervisor", self._poll, _SECONDS_BETWEEN_POLLS)

    @property
    def programs(self) -> Mapping[str, SupervisedProgram]:
        """All of them by name, in order."""
        return {program.name: program for group in self._groups for program in group}

    @property
    def failure(self) -> Exception | None:
        """The error that ended the supervision, if one did."""
        return self._loop.failure

    def start(self) -> None:
        """Begin to supervise; nothing runs before `start_program`."""
        self._loop.start()

    def start_program(self, name: str) -> None:
        """Start one program; it is started again whenever it dies."""
        self.programs[name].wanted = True

    def end(self, timeout: Timeout) -> set[str]:
        """End all programs and all that they have started; describe the processes that had to be killed."""
        self._loop.stop()
        killed: set[str] = set()
        for group in reversed(self._groups):
            killed |= self._end_group(group, timeout(_SECONDS_TO_END))
        return killed | end(lambda: find_processes(self._paths.home), timeout(_SECONDS_FOR_LEFTOVERS))

    def _end_group(self, group: Sequence[SupervisedProgram], timeout: Callable[[], float]) -> set[str]:
        for program in group:
            program.terminate()
        since = time.monotonic()
        killed: set[str] = set()
        while not all(program.has_ended() for program in group):
            if time.monotonic() - since >= timeout():
                left = find_processes(self._paths.home, [program.name for program in group])
                killed |= set(map(describe, left))
                send(left, signal.SIGKILL)
            time.sleep(_SECONDS_BETWEEN_POLLS)
        return killed

    def _poll(self) -> None:
        for program in self.programs.values():
            program.poll()
