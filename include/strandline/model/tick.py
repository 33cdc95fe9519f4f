"""One trade, or one polled price, of an instrument."""

from datetime import datetime
from enum import StrEnum

from strandline.model.record import Record, require
from strandline.model.side import Side


class TickKind(StrEnum):
    """A trade that happened, or a price that was asked for."""

    TRADE = "t"
    PRICE = "p"


class Source(StrEnum):
    """Where market data came from. One letter each: they are stored with every tick."""

    STREAM = "s"
    REST = "r"
    ARCHIVE = "a"


class Tick(Record, frozen=True, kw_only=True):
    """What the venue said, unjudged: the quality gate decides whether it can be trusted."""

    ts: datetime
    instrument_id: int
    trade_id: int
    price: float
    size: float | None
    side: Side | None
    kind: TickKind
    source: Source

    def check(self) -> None:
        if self.kind is TickKind.PRICE:
            require(self.size is None and self.side is None, "a polled price has neither size nor side")
