"""All programs of one home: started, restarted when they die, and ended in order."""

from collections.abc import Callable, Sequence
from typing import Final

from strandline.cli.up.background import BackgroundLoop
from strandline.cli.up.paths import Paths
from strandline.cli.up.postgres import SupervisedPostgres
from strandline.cli.up.processes import end, find_processes, kill_after
from strandline.cli.up.program import Program
from strandline.cli.up.supervised import SupervisedProgram

_SECONDS_BETWEEN_POLLS: Final = 0.1
_SECONDS_TO_END: Final = 60.0
"""Airflow's processes take a second to end, and many on a busy machine; who does not want to wait asks twice."""

_SECONDS_FOR_LEFTOVERS: Final = 5.0

Timeout = Callable[[float], Callable[[], float]]
"""Makes, of a number of seconds, a timeout that may get shorter while it is waited for."""


class Supervisor:
    """Runs groups of programs; a group ends before the groups that stand before it.

    Postgres is restarted too; it is started before and stopped after the programs, by whoever made it.
    """

    def __init__(
        self,
        paths: Paths,
        groups: Sequence[Sequence[Program]],
        report: Callable[[str], None],
        postgres: SupervisedPostgres | None = None,
    ) -> None:
        self._paths = paths
        self._postgres = postgres
        self._groups = [[SupervisedProgram(program, paths, report) for program in group] for group in groups]
        self.programs = {program.name: program for group in self._groups for program in group}
        self._loop = BackgroundLoop("supervisor", self._poll, _SECONDS_BETWEEN_POLLS)

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
        return kill_after(
            timeout,
            lambda: find_processes(self._paths.home, [program.name for program in group]),
            lambda: all(program.has_ended() for program in group),
        )

    def _poll(self) -> None:
        if self._postgres is not None:
            self._postgres.poll()
        for program in self.programs.values():
            program.poll()
