"""One program that is supervised."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STRANDLINE: Final = (sys.executable, "-m", "strandline.cli.main")
AIRFLOW: Final = (sys.executable, "-m", "airflow")


@dataclass(frozen=True)
class Program:
    """What to run, and what its environment has more, or less, than that of `up`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    without: Sequence[str] = ()
