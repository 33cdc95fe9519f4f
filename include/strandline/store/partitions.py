"""The day partitions of the ticks."""

from datetime import date, timedelta
from typing import Final

from sqlalchemy import Engine, text

_DAYS_BACK: Final = 1
_DAYS_AHEAD: Final = 7


def ensure_partitions_around(engine: Engine, today: date) -> int:
    """From yesterday, for ticks that come late, to a week ahead, for nights without maintenance; how many were made."""
    with engine.begin() as connection:
        made = connection.scalar(
            text("SELECT ensure_tick_partitions(:first, :last)"),
            {"first": today - timedelta(days=_DAYS_BACK), "last": today + timedelta(days=_DAYS_AHEAD)},
        )
    return int(made or 0)
