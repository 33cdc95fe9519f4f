"""A program that `strandline up` runs as a child process."""

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from strandline.cli.up.log_file import open_log
from strandline.cli.up.processes import marks

STRANDLINE: Final = (sys.executable, "-m", "strandline.cli.main")
AIRFLOW: Final = (sys.executable, "-m", "airflow")


@dataclass(frozen=True)
class Program:
    """Its command, the check of its health, and how its environment differs from that of `up`: more, and less.

    The check is given for how many seconds the process has run. `checked_through` names the components without which it
    says nothing about the program.
    """

    name: str
    command: Sequence[str]
    is_healthy: Callable[[float], bool] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    without: Collection[str] = ()
    checked_through: Collection[str] = ()

    def launch(self, home: Path, log: Path) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, so that the terminal's Ctrl-C does not reach it."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.without}
        with open_log(log) as output:
            return subprocess.Popen(  # noqa: S603 - a list without a shell, all of it ours
                self.command,
                env={**inherited, **self.environment, **marks(home, self.name)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
