"""Converts analytic floats to exact numbers: the only place where floats meet money."""

from decimal import ROUND_DOWN, Context
from typing import Final

from strandline.model.exact import Money, Ratio, decimal_of_float

SCORE_PLACES: Final = 9
CENT: Final = Money("0.01")
_DOWN: Final = Context(prec=120, rounding=ROUND_DOWN)


def score(value: float) -> float:
    """Round to the digits in which scores are compared and stored; sums of floats may differ in the last bits."""
    return round(value, SCORE_PLACES)


def ratio(value: float) -> Ratio:
    """Convert a score to an exact factor."""
    return Ratio.from_float(score(value))


def percent(value: float) -> Ratio:
    """Convert a parameter in percent, with exactly its written digits."""
    return Ratio(decimal_of_float(value).scaleb(-2))


def share(whole: Money, part: Ratio, parts: Ratio) -> Money:
    """Compute `part` of `parts` of the whole, rounded down to cents."""
    exact = _DOWN.divide(_DOWN.multiply(whole.decimal, part.decimal), parts.decimal)
    return Money(exact.quantize(CENT.decimal, context=_DOWN))


def cents(money: Money) -> Money:
    """Round down to cents, so that no more is spent than there is."""
    return Money(money.decimal.quantize(CENT.decimal, context=_DOWN))
