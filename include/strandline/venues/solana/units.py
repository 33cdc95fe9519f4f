"""Converts between the chain's raw integers and our units, money and prices. Only a price can need rounding."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final

from strandline.model.exact import Amount, Exact, Money, Price, Quantity

USDC_DECIMALS: Final = 6
SOL_DECIMALS: Final = 9
_PLACES: Final = 18
_PLACES_OF_COST: Final = 12


def quantity(raw: int, decimals: int) -> Quantity:
    """Convert a raw amount of a token."""
    return Quantity(_scaled(raw, decimals))


def dollars(raw: int) -> Money:
    """Convert a raw amount of USDC."""
    return Money(_scaled(raw, USDC_DECIMALS))


def sol(lamports: int) -> Amount:
    """Convert lamports to SOL."""
    return Amount(_scaled(lamports, SOL_DECIMALS))


def raw(value: Exact, decimals: int) -> int:
    """Convert to raw units, rounded down."""
    return math.floor(Fraction(value.decimal) * Fraction(10**decimals))


def price(usdc: int, tokens: int, decimals: int) -> Price:
    """The price of one token in US dollars, from the raw amounts swapped.

    Rounded down to so many decimals that price × quantity falls short of the USDC by less than 10^-12 dollars: rounded
    to USDC's six decimals, sums of such products are the wallet's balance to the last unit.
    """
    whole_digits = len(str(tokens)) - decimals
    return dollars(usdc).per(quantity(tokens, decimals), max(_PLACES, whole_digits + _PLACES_OF_COST))


def _scaled(number: int, decimals: int) -> Decimal:
    return Decimal(f"{number}E-{decimals}")
