"""Buy or sell."""

from enum import StrEnum


class Side(StrEnum):
    """Of an order or a fill; of a tick, the aggressor's."""

    BUY = "buy"
    SELL = "sell"
