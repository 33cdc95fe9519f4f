"""Knows how each component is.

It has a thread of its own: a check that hangs must not keep anything from being restarted.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

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

    @property
    def pid(self) -> int | None: ...
    @property
    def uptime(self) -> float: ...
    @property
    def restarts(self) -> int: ...


IsHealthy = Callable[[int, float], bool]
"""Whether a component does its work, given its pid and for how many seconds that process has run."""


class Component(NamedTuple):
    """A process and the check of its health."""

    process: Supervised
    is_healthy: IsHealthy


class Monitor:
    """Keeps `statuses`, which is replaced as a whole, so that any thread may read it."""

    def __init__(self, components: Mapping[str, Component], report: Callable[[str], None]) -> None:
        self._components = components
        self._report = report
        self._loop = BackgroundLoop("monitor", self._check, _SECONDS_BETWEEN_CHECKS)
        self.statuses = {name: Status(name, State.WAITING, time.time()) for name in components}

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
        for name, component in self._components.items():
            self.statuses = {**self.statuses, name: self._status(self.statuses[name], *component)}

    def _status(self, before: Status, process: Supervised, is_healthy: IsHealthy) -> Status:
        pid, restarts = process.pid, process.restarts
        state = _state(before, pid, pid is not None and is_healthy(pid, process.uptime))
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
