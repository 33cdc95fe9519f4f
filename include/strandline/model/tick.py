"""What a tick is and where it came from; ticks themselves are rows of `ticks` and never records."""

from enum import StrEnum


class TickKind(StrEnum):
    """A trade, or a polled price."""

    TRADE = "t"
    PRICE = "p"


class Source(StrEnum):
    """Where market data came from. One letter each: they are stored with every tick."""

    STREAM = "s"
    REST = "r"
    ARCHIVE = "a"
