"""Kind and source of a tick. Ticks themselves are rows of `ticks`, never records."""

from enum import StrEnum


class TickKind(StrEnum):
    """A trade, or a polled price."""

    TRADE = "t"
    PRICE = "p"


class Source(StrEnum):
    """Where market data came from. One letter each, because every tick stores it."""

    STREAM = "s"
    REST = "r"
    ARCHIVE = "a"
