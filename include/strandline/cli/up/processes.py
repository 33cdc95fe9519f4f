"""Finds and ends processes of this home, whatever session, group or name they have given themselves.

Each carries a mark in its environment, which children inherit. Airflow's processes rename themselves; SPT_NOENV keeps
the library that does it from writing the name over the environment. Postgres does just that, and is found by its data.
"""

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

# The underscore in front keeps the marks out of the settings.
HOME: Final = "_STRANDLINE_UP"
PROGRAM: Final = "_STRANDLINE_UP_PROGRAM"

_SECONDS_BETWEEN_SCANS: Final = 0.05


def marks(home: Path, program: str) -> dict[str, str]:
    """Return what the environment of a program must hold, so that it and its children are found."""
    return {HOME: str(home), PROGRAM: program, "SPT_NOENV": "1"}


def find_processes(home: Path, programs: Iterable[str] | None = None) -> list[psutil.Process]:
    """Find all processes of a home, or of some programs of it; never this process or one that it runs in."""
    wanted = None if programs is None else frozenset(programs)
    this_process = psutil.Process()
    not_meant = {this_process.pid, *(parent.pid for parent in this_process.parents())}
    found = []
    for process in psutil.process_iter(["environ", "status"]):
        environment = process.info["environ"] or {}
        if (
            environment.get(HOME) == str(home)
            and (wanted is None or environment.get(PROGRAM) in wanted)
            and process.pid not in not_meant
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Signal those that still run."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def end(find: Callable[[], list[psutil.Process]], timeout: Callable[[], float]) -> set[str]:
    """Terminate processes, and kill those that still run after the timeout; describe those killed."""
    send(find(), signal.SIGTERM)
    return kill_after(timeout, find, lambda: not find())


def kill_after(
    timeout: Callable[[], float], find: Callable[[], list[psutil.Process]], have_ended: Callable[[], bool]
) -> set[str]:
    """Wait until processes have ended, and kill those that are found after the timeout; describe those killed."""
    since = time.monotonic()
    killed: set[str] = set()
    while not have_ended():
        if time.monotonic() - since >= timeout():
            left = find()
            killed |= {f"{process.info['environ'][PROGRAM]} {process.pid}" for process in left}
            send(left, signal.SIGKILL)
        time.sleep(_SECONDS_BETWEEN_SCANS)
    return killed
