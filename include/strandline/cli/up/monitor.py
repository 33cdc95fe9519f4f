"""Knows how each component is.

It has a thread of its own: a check that hangs must not keep anything from being restarted.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from strandline.cli.up.background import BackgroundLoop

_SECONDS_BETWEEN_CHECKS: Final = 0.3


class State(StrEnum):
    """From nothing to healthy, and back."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "not answering"
    DOWN = "down"


@dataclass(frozen=True)
class Status:
    """What a person wants to know about a component; `since` is in seconds since 1970."""

    name: str
    state: State
    since: float
    restarts: int = 0
    pid: int | None = None


class Supervised(Protocol):
    """Something that has a process, most of the time."""

    name: str
    restarts: int

    @property
    def pid(self) -> int | None: ...
    @property
    def uptime(self) -> float: ...
    def is_healthy(self, pid: int, uptime: float, /) -> bool: ...


class Monitor:
    """Keeps `statuses`, which is replaced as a whole, so that any thread may read it."""

    def __init__(self, components: Iterable[Supervised], report: Callable[[str], None]) -> None:
        self._components = list(components)
        self._report = report
        self._loop = BackgroundLoop("monitor", self._check, _SECONDS_BETWEEN_CHECKS)
        self.statuses = {one.name: Status(one.name, State.WAITING, time.time()) for one in self._components}

    @property
    def failure(self) -> Exception | None:
        """The error that ended the checks, if one did."""
        return self._loop.failure

    def start(self) -> None:
        """Begin to check."""
        self._loop.start()

    def stop(self) -> None:
        """Return when no check is running any more."""
        self._loop.stop()

    def _check(self) -> None:
        for one in self._components:
            self.statuses = {**self.statuses, one.name: self._status(self.statuses[one.name], one)}

    def _status(self, before: Status, component: Supervised) -> Status:
        pid, restarts = component.pid, component.restarts
        state = _state(before, pid, pid is not None and component.is_healthy(pid, component.uptime))
        if (state, pid) == (before.state, before.pid):
            return replace(before, restarts=restarts)
        if state is State.HEALTHY and restarts:
            self._report(f"{before.name} is healthy again")
        return Status(before.name, state, time.time(), restarts, pid)


def _state(before: Status, pid: int | None, healthy: bool) -> State:
    if pid is None:
        return State.WAITING if before.state is State.WAITING else State.DOWN
    if healthy:
        return State.HEALTHY
    was_healthy = before.pid == pid and before.state in {State.HEALTHY, State.SILENT}
    return State.SILENT if was_healthy else State.STARTING
