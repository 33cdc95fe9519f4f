"""Cycles are named by the five-minute boundary at which their data end."""

from datetime import UTC, datetime, timedelta
from typing import Final

from strandline.model.errors import StrandlineError
from strandline.model.timeframe import Timeframe

CYCLE_LENGTH: Final = timedelta(minutes=5)


class CycleNotOverError(StrandlineError):
    """The cycle's data are not complete yet. Planned too early, it would keep every cycle before it from planning."""

    def __init__(self, cycle: datetime, now: datetime) -> None:
        super().__init__(
            f"the cycle of {_utc(cycle)} is not over: it is {_utc(now)} now",
            "check the time zone of as_of (it is read with the offset that it is written with) and this machine's "
            "clock; nothing was stored",
        )


def last_complete_cycle(now: datetime) -> datetime:
    """The end of the last five minutes that are over."""
    return Timeframe.M5.start_of(now)


def cycle_of(interval_end: datetime | None, asked_at: datetime, as_of: datetime | None) -> datetime:
    """The cycle that a run is about: that of `as_of`, else its interval's end, else the last complete one.

    A run triggered by hand without a date has no interval; it was asked for at `asked_at`.
    """
    return last_complete_cycle(as_of or interval_end or asked_at)


def require_over(cycle: datetime, now: datetime) -> None:
    """Refuse a cycle whose five minutes have not ended."""
    if cycle > now:
        raise CycleNotOverError(cycle, now)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
