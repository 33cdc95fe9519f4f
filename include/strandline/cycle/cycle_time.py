"""Cycles are named by the five-minute boundary at which their data end."""

from datetime import datetime, timedelta
from typing import Final

from strandline.model.timeframe import Timeframe

CYCLE_LENGTH: Final = timedelta(minutes=5)


def last_complete_cycle(now: datetime) -> datetime:
    """The end of the last five minutes that are over."""
    return Timeframe.M5.start_of(now)


def cycle_of(interval_end: datetime | None, asked_at: datetime, as_of: datetime | None) -> datetime:
    """The cycle that a run is about: what a person asked for, else its interval's end, else the last complete one.

    A run triggered by hand without a date has no interval; it was asked for at `asked_at`.
    """
    return last_complete_cycle(as_of or interval_end or asked_at)
