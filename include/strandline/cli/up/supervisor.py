"""Everything of one home that runs: started, started again when it dies or freezes, checked, and ended in order."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from psutil import Process  # type: ignore[import-untyped]

from strandline.cli.up.paths import Paths
from strandline.cli.up.postgres import Postgres
from strandline.cli.up.processes import end, find_processes, kill_after
from strandline.cli.up.program import Program
from strandline.cli.up.supervised import LONGEST_SILENCE, State, Supervised

_SECONDS_BETWEEN_CHECKS: Final = 0.3
_SECONDS_WHILE_HEALTHY: Final = 2.0
"""Airflow's api-server takes twenty milliseconds to answer."""

_SECONDS_TO_END: Final = 60.0
"""Airflow's processes take a second to end, and many on a busy machine; who does not want to wait asks twice."""

_SECONDS_FOR_LEFTOVERS: Final = 5.0

Timeout = Callable[[float], Callable[[], float]]
"""Makes, of a number of seconds, a timeout that may get shorter while it is waited for."""


class Supervisor:
    """Whoever uses it calls `poll` several times a second.

    Health is checked in a thread: a check that hangs must not keep anything from being restarted, or from ending.
    """

    def __init__(self, paths: Paths, report: Callable[[str], None], silence: float = LONGEST_SILENCE) -> None:
        self._paths = paths
        self._silence = silence
        self._report = report
        self._groups: list[Sequence[Supervised]] = []
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._checks = threading.Thread(target=self._check_health, name="strandline-up-health", daemon=True)

    @property
    def running(self) -> Sequence[Supervised]:
        """All that was started, in that order."""
        return [one for group in self._groups for one in group]

    def start(self, *programs: Program | Postgres) -> None:
        """Start a group, which ends before the groups that were started earlier."""
        self._report(f"starting {', '.join(program.name for program in programs)}")
        group = [Supervised(program, self._paths, self._report) for program in programs]
        self._groups.append(group)
        for one in group:
            one.poll()
        if self._checks.ident is None:
            self._checks.start()

    def poll(self) -> None:
        """Start again what has died; raise an error of the checks."""
        if self._failure is not None:
            raise self._failure
        for one in self.running:
            one.poll()

    def end(self, timeout: Timeout) -> set[str]:
        """End everything, with all that it has started; describe the processes that had to be killed."""
        self._ending.set()
        killed: set[str] = set()
        while self._groups:
            killed |= self._end_group(self._groups.pop(), timeout)
        return killed

    def _end_group(self, group: Sequence[Supervised], timeout: Timeout) -> set[str]:
        names = [one.name for one in group]
        self._report(f"ending {', '.join(names)}")
        for one in group:
            one.terminate()

        def find() -> list[Process]:
            return find_processes(self._paths.home, names)

        killed = kill_after(timeout(_SECONDS_TO_END), find, lambda: all(one.has_ended() for one in group))
        return killed | end(find, timeout(_SECONDS_FOR_LEFTOVERS))

    @property
    def _seconds_between_checks(self) -> float:
        healthy = all(one.state is State.HEALTHY for one in self.running)
        return _SECONDS_WHILE_HEALTHY if healthy else _SECONDS_BETWEEN_CHECKS

    def _check_health(self) -> None:
        try:
            while not self._ending.wait(self._seconds_between_checks):
                for one in self.running:
                    one.check()
                    through = [other for other in self.running if other.name in one.checked_through]
                    one.kill_if_frozen(through, self._silence)
        except Exception as error:  # noqa: BLE001 - the next poll raises it
            self._failure = error
