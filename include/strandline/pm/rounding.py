"""Where analytic floats become exact numbers that money is multiplied with. Nowhere else."""

from decimal import ROUND_DOWN, Context
from typing import Final

from strandline.model.exact import Money, Ratio, decimal_of_float

SCORE_PLACES: Final = 9
CENT: Final = Money("0.01")
_DOWN: Final = Context(prec=120, rounding=ROUND_DOWN)


def score(value: float) -> float:
    """As scores are compared and stored; it swallows the last bits, in which sums of floats may differ."""
    return round(value, SCORE_PLACES)


def ratio(value: float) -> Ratio:
    """A score as an exact factor."""
    return Ratio.from_float(score(value))


def percent(value: float) -> Ratio:
    """A parameter in percent, with exactly the digits that were written."""
    return Ratio(decimal_of_float(value).scaleb(-2))


def share(whole: Money, part: Ratio, parts: Ratio) -> Money:
    """`part` of `parts` of the whole, never more, in cents."""
    exact = _DOWN.divide(_DOWN.multiply(whole.decimal, part.decimal), parts.decimal)
    return Money(exact.quantize(CENT.decimal, context=_DOWN))


def cents(money: Money) -> Money:
    """Without fractions of a cent; rounded down, so that no more is spent than there is."""
    return Money(money.decimal.quantize(CENT.decimal, context=_DOWN))
