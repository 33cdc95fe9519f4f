"""Where market data came from."""

from enum import StrEnum


class Source(StrEnum):
    """One letter each, because every tick stores it."""

    STREAM = "s"
    REST = "r"
    ARCHIVE = "a"
