"""Exact numbers as the venue writes and rounds them.

A price times a size of a perpetual has at most six decimals (six minus szDecimals, plus szDecimals), as USDC has; so
cash is exact with six, and nothing has to be rounded but fees, funding and averages.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO: Final = Decimal(0)
USDC: Final = Decimal("0.000001")
MIN_NOTIONAL: Final = Decimal(10)
_MAX_DECIMALS: Final = 6
_SIGNIFICANT: Final = 5


def wire(value: Decimal) -> str:
    """As the venue spells numbers: no exponent, no trailing zeros, but always one decimal."""
    text = f"{value.normalize():f}" if value else "0"
    return text if "." in text else text + ".0"


def to_usdc(value: Decimal) -> Decimal:
    """Cut to USDC's six decimals, as the venue cuts fees."""
    return value.quantize(USDC, ROUND_DOWN)


def step_of(sz_decimals: int) -> Decimal:
    """The smallest size."""
    return Decimal(1).scaleb(-sz_decimals)


def to_size(value: Decimal, sz_decimals: int) -> Decimal:
    """Cut to whole steps of size."""
    return value.quantize(step_of(sz_decimals), ROUND_DOWN)


def is_size(value: Decimal, sz_decimals: int) -> bool:
    """Whether it has no more decimals than szDecimals allows."""
    return value == to_size(value, sz_decimals)


def to_tick(value: Decimal, sz_decimals: int) -> Decimal:
    """The nearest price that the venue takes: five significant figures, at most 6 − szDecimals decimals."""
    decimals = min(_SIGNIFICANT - 1 - value.adjusted(), _MAX_DECIMALS - sz_decimals)
    return value.quantize(Decimal(1).scaleb(-max(decimals, 0)), ROUND_HALF_EVEN)


def is_tick(value: Decimal, sz_decimals: int) -> bool:
    """Whether the venue takes the price; whole numbers are taken whatever their figures."""
    return value == value.to_integral_value() or value == to_tick(value, sz_decimals)
