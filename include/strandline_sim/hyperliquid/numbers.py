"""Formats and rounds exact numbers as the venue does.

A price times a size of a perpetual has at most six decimals (six minus szDecimals, plus szDecimals), like USDC, so
that only fees, funding and averages are rounded.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO: Final = Decimal(0)
USDC: Final = Decimal("0.000001")
MIN_NOTIONAL: Final = Decimal(10)
_MAX_DECIMALS: Final = 6
_SIGNIFICANT: Final = 5


def wire(value: Decimal) -> str:
    """Format a number as the venue does: no exponent, no trailing zeros, but at least one decimal."""
    text = f"{value.normalize():f}" if value else "0"
    return text if "." in text else text + ".0"


def to_usdc(value: Decimal) -> Decimal:
    """Round down to USDC's six decimals, as the venue does with fees."""
    return value.quantize(USDC, ROUND_DOWN)


def step_of(sz_decimals: int) -> Decimal:
    """Return the smallest size."""
    return Decimal(1).scaleb(-sz_decimals)


def to_size(value: Decimal, sz_decimals: int) -> Decimal:
    """Round down to a valid size."""
    return value.quantize(step_of(sz_decimals), ROUND_DOWN)


def is_size(value: Decimal, sz_decimals: int) -> bool:
    """Whether the size is valid."""
    return value == to_size(value, sz_decimals)


def to_tick(value: Decimal, sz_decimals: int) -> Decimal:
    """Round to a valid price: five significant figures, at most 6 − szDecimals decimals."""
    decimals = min(_SIGNIFICANT - 1 - value.adjusted(), _MAX_DECIMALS - sz_decimals)
    return value.quantize(Decimal(1).scaleb(-max(decimals, 0)), ROUND_HALF_EVEN)


def is_tick(value: Decimal, sz_decimals: int) -> bool:
    """Whether the price is valid; whole numbers always are."""
    return value == value.to_integral_value() or value == to_tick(value, sz_decimals)
