"""What a fill moves in dollars."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from strandline.model.exact import Money, Price, Quantity
from strandline.model.venue import VenueKey

DOLLARS: Final = "USDC"
"""The asset that every venue of ours settles in, under the name that its cash events give it."""

_MICRO: Final = Decimal("0.000001")
_DIGITS: Final = Context(prec=60)


def settled(venue: VenueKey, price: Price, quantity: Quantity) -> Money:
    """Price times quantity, as it moved.

    Where a purchase is paid with cash, USDC moved, which has six decimals; the price was derived from it and has digits
    enough to come back to it. On margin nothing is paid and the product stays exact.
    """
    exact = price * quantity
    return exact if venue.margined else Money(exact.decimal.quantize(_MICRO, ROUND_HALF_EVEN, context=_DIGITS))
