"""A program that `strandline up` runs."""

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STRANDLINE: Final = (sys.executable, "-m", "strandline.cli.main")
AIRFLOW: Final = (sys.executable, "-m", "airflow")

IsHealthy = Callable[[int, float], bool]
"""Whether a program does its work, given its pid and for how many seconds that process has run."""


@dataclass(frozen=True)
class Program:
    """Its command, the check of its health, and how its environment differs from that of `up`: more, and less."""

    name: str
    command: Sequence[str]
    is_healthy: IsHealthy = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    without: Collection[str] = ()

    def full_environment(self) -> dict[str, str]:
        """The environment of this process, as changed for the program."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.without}
        return {**inherited, **self.environment}
