"""Computes how many dollars a fill moves."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from strandline.model.exact import Money, Price, Quantity

DOLLARS: Final = "USDC"
"""The asset in which all venues settle, as cash events name it."""

_MICRO: Final = Decimal("0.000001")
_DIGITS: Final = Context(prec=60)


def settled(price: Price, quantity: Quantity, *, margined: bool) -> Money:
    """Return price times quantity, rounded to what was paid.

    A spot venue pays in USDC, which has six decimals; the fill's price was derived from that sum, so rounding restores
    it. On margin nothing is paid and the product stays exact.
    """
    exact = price * quantity
    return exact if margined else Money(exact.decimal.quantize(_MICRO, ROUND_HALF_EVEN, context=_DIGITS))
