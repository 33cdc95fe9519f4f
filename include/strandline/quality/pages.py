"""Where the page of a run of the gate is in the Data Docs, once they are rendered."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

INDEX: Final = "index.html"


def page(directory: Path, suite: str, cycle: datetime, quality_run_id: int) -> Path:
    """The file, as Great Expectations names it."""
    run = directory / "validations" / suite / run_name(cycle) / f"{cycle:%Y%m%dT%H%M%S.%fZ}"
    return run / f"{batch_name(quality_run_id)}.html"


def links(directory: Path, cycle: datetime, runs: Mapping[str, int]) -> dict[str, str]:
    """By suite the address of its page; `index` is that of the list of all runs."""
    pages = {suite: page(directory, suite, cycle, run).as_uri() for suite, run in runs.items()}
    return {"index": (directory / INDEX).as_uri(), **pages}


def run_name(cycle: datetime) -> str:
    """What the cycle is called there; colons would be escaped in its address."""
    return f"{cycle:%Y-%m-%dT%H-%MZ}"


def batch_name(quality_run_id: int) -> str:
    """What the run is called there."""
    return f"run-{quality_run_id}"
