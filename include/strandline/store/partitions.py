"""Makes the day partitions of the ticks ahead of time."""

from datetime import date, timedelta
from typing import Final

from sqlalchemy import Engine, text

_DAYS_BACK: Final = 1
_DAYS_AHEAD: Final = 7


def days_around(today: date) -> tuple[date, date]:
    """The days whose partitions must exist: from yesterday, for late ticks, to a week ahead."""
    return today - timedelta(days=_DAYS_BACK), today + timedelta(days=_DAYS_AHEAD)


def ensure_partitions_around(engine: Engine, today: date) -> int:
    """Make the missing partitions of those days, and return how many were made."""
    first, last = days_around(today)
    with engine.begin() as connection:
        made = connection.scalar(text("SELECT ensure_tick_partitions(:first, :last)"), {"first": first, "last": last})
    return int(made or 0)
