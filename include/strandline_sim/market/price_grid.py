"""The grid of valid prices: whole numbers of the smallest unit inside, exact decimals outside."""

from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_POWERS: Final[Ints] = np.array([10**digits for digits in range(18)], dtype=np.int64)


class PriceGrid:
    """Valid prices have at most `decimals` decimals and, if given, `significant` significant figures.

    As on Hyperliquid, a price that is a whole number is valid whatever its figures.
    """

    def __init__(self, decimals: int, significant: int | None = None) -> None:
        self.decimals = decimals
        steps = [1] * len(_POWERS)
        if significant is not None:
            for digits in range(significant + 1, len(_POWERS)):
                steps[digits] = min(10 ** (digits - significant), 10**decimals)
        self._steps = np.array(steps, dtype=np.int64)

    def step(self, units: int) -> int:
        """Return the distance to the next price above."""
        return int(self._steps[len(str(units))])

    def down(self, units: int) -> int:
        """Round down to a price."""
        step = self.step(units)
        return max(units // step * step, 1)

    def up(self, units: int) -> int:
        """Round up to a price."""
        step = self.step(units)
        return -(-units // step) * step

    def nearest(self, units: NDArray[Any]) -> Ints:
        """Round each to the nearest price, never zero."""
        whole = np.maximum(np.rint(units).astype(np.int64), 1)
        steps = self._steps[np.searchsorted(_POWERS, whole, side="right")]
        nearest: Ints = np.maximum((whole + steps // 2) // steps * steps, 1)
        return nearest

    def nearest_one(self, units: float) -> int:
        """Round to the nearest price, never zero."""
        return int(self.nearest(np.array([units]))[0])

    def price(self, units: int) -> Decimal:
        """Convert from whole units."""
        return Decimal(units).scaleb(-self.decimals)


def scaled(value: Decimal, decimals: int) -> int:
    """Convert to a whole number of the last decimal; raise ValueError for more decimals."""
    number = value.scaleb(decimals)
    if number != int(number):
        raise ValueError(f"{value} has more than {decimals} decimals")
    return int(number)
