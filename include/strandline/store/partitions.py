"""Makes the day partitions of the ticks ahead of time."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DAYS_BACK: Final = 1
_DAYS_AHEAD: Final = 7


def days_around(today: date) -> tuple[date, date]:
    """The days whose partitions must exist: from yesterday, for late ticks, to a week ahead."""
    return today - timedelta(days=_DAYS_BACK), today + timedelta(days=_DAYS_AHEAD)


def ensure_partitions_around(engine: "Engine", today: date) -> int:
    """Make the missing partitions of those days, and return how many were made."""
    first, last = days_around(today)
    with engine.begin() as connection:
        made = connection.exec_driver_sql("SELECT ensure_tick_partitions(%s, %s)", (first, last))
        return int(made.scalar_one())
