"""The costs of paper trading."""

from decimal import Decimal
from typing import NamedTuple

from strandline.model.exact import Money, Quantity, Ratio


class PaperCosts(NamedTuple):
    """One venue's fees and depth, estimated high rather than low.

    An order pays the far side of the spread, and on top of it `slippage` in proportion to its size: all of it at
    `max_notional`, which is also the most that one order can fill. Below `min_notional` nothing is filled; quantities
    are multiples of `lot`.
    """

    fee: Ratio
    slippage: Decimal
    max_notional: Money
    min_notional: Money
    lot: Quantity
