"""How one component is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """From nothing to well, and back."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    SILENT = "not answering"
    DOWN = "down"


@dataclass(frozen=True)
class Status:
    """What a person wants to know about it; `since` is in seconds since 1970."""

    name: str
    state: State
    since: float
    restarts: int = 0
    pid: int | None = None


Ready = Callable[[int, float], bool]
"""Whether a component does its work, given its process and for how many seconds that has run."""
