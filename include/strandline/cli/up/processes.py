"""Finds and ends our processes, whatever session, group or name they have given themselves.

Each carries a mark in its environment, which children inherit. Airflow's processes rename themselves; SPT_NOENV keeps
the library that does it from writing the name over the environment. Postgres does just that, and is found by its data.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from strandline.cli.up.launch import ROOT

MARK: Final = "_STRANDLINE_UP"
"""Holds the home. The underscore in front keeps it out of the settings."""

_BETWEEN_LOOKS: Final = 0.05


def marks(home: Path) -> dict[str, str]:
    """For the environment of whatever is started."""
    return {MARK: str(home), "SPT_NOENV": "1"}


def marked(home: Path, root: int | None = None) -> list[psutil.Process]:
    """All processes of this home, or those of one program of it; never this process or those that it runs in."""
    wanted = {MARK: str(home)} | ({} if root is None else {ROOT: str(root)})
    ourselves = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if process.pid not in ourselves
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and wanted.items() <= (process.info["environ"] or {}).items()
    ]


def end(find: Callable[[], list[psutil.Process]], patience: Callable[[], float]) -> list[int]:
    """Ask them to end, kill those that do not within the patience; the numbers of those killed.

    What supervises is killed first, or it would start again what ends.
    """
    for process in find():
        _send(process, signal.SIGTERM if _has_root(process) else signal.SIGKILL)
    since = time.monotonic()
    killed: set[int] = set()
    while left := find():
        if time.monotonic() - since >= patience():
            killed |= {process.pid for process in left}
            for process in left:
                _send(process, signal.SIGKILL)
        time.sleep(_BETWEEN_LOOKS)
    return sorted(killed)


def _has_root(process: psutil.Process) -> bool:
    # What supervises the programs has none.
    return ROOT in (process.info["environ"] or {})


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
