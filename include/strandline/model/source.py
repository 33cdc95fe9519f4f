"""Where market data came from."""

from enum import StrEnum


class Source(StrEnum):
    """A source of market data; one letter, because every tick stores it."""

    STREAM = "s"
    REST = "r"
    ARCHIVE = "a"


class HistorySource(StrEnum):
    """Where a backfill reads from."""

    ARCHIVE = "archive"
    REST = "rest"
    FILE = "file"
