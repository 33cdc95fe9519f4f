"""Buy or sell."""

from enum import StrEnum


class Side(StrEnum):
    """The side of an order or a fill; of a tick, the aggressor's side."""

    BUY = "buy"
    SELL = "sell"
