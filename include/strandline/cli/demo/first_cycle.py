"""Unpauses the DAG such that its first cycle is recent enough to trade."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from strandline.cycle.cycle_time import CYCLE_LENGTH, last_complete_cycle

TIME_TO_ACT: Final = timedelta(seconds=120)
"""The time that a cycle may take on a slow machine, from its start to its last order."""

_POLL_INTERVAL: Final = timedelta(seconds=0.5)
_PARSE_INTERVAL: Final = timedelta(seconds=5)


class PausedDag(Protocol):
    """What this needs of the DAG; implemented by `DagRuns`."""

    def next_cycle(self) -> datetime | None: ...
    def parse_again(self) -> None: ...
    def unpause(self) -> None: ...


def first_cycle(now: datetime) -> datetime:
    """Return the last complete cycle, or the next one if entries of the last would expire before they are sent.

    Entries expire when the next cycle begins.
    """
    newest = last_complete_cycle(now)
    return newest if newest + CYCLE_LENGTH - now >= TIME_TO_ACT else newest + CYCLE_LENGTH


def unpause_in_time(
    dag: PausedDag, clock: Callable[[], datetime], pause: Callable[[float], None], report: Callable[[str], None]
) -> datetime:
    """Unpause the DAG once its next run is recent enough to trade; return that run's cycle.

    Airflow determines the next run when it parses the file, so a DAG that is unpaused later starts with an old cycle.
    """
    parsed_at: datetime | None = None
    reported: datetime | None = None
    while True:
        now = clock()
        wanted, cycle = first_cycle(now), dag.next_cycle()
        if cycle is not None and cycle >= wanted:
            dag.unpause()
            return cycle
        if wanted > now:
            if reported != wanted:
                report(f"waiting for the next five minutes, which end at {wanted:%H:%M} UTC")
            reported = wanted
        elif parsed_at is None or now - parsed_at >= _PARSE_INTERVAL:
            dag.parse_again()
            parsed_at = now
        pause(_POLL_INTERVAL.total_seconds())
