"""A program that `strandline up` runs."""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STRANDLINE: Final = (sys.executable, "-m", "strandline.cli.main")
AIRFLOW: Final = (sys.executable, "-m", "airflow")


@dataclass(frozen=True)
class Program:
    """Its command, and how its environment differs from that of `up`: what is added, and what is left out."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    without: Collection[str] = ()

    def full_environment(self) -> dict[str, str]:
        """The environment of this process, as changed for the program."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.without}
        return {**inherited, **self.environment}
