"""Conversions between raw integers and our units are exact."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Money, Quantity
from strandline.venues.solana import units

RAW = st.integers(1, 2**64 - 1)
DECIMALS = st.integers(0, 18)
MICRO = Decimal("0.000001")


@given(raw=st.integers(0, 2**64 - 1), decimals=DECIMALS)
def test_raw_to_units_and_back_is_exact(raw: int, decimals: int) -> None:
    quantity = units.quantity(raw, decimals)
    assert quantity.decimal * 10**decimals == raw
    assert units.raw(quantity, decimals) == raw
    assert units.raw(units.dollars(raw), 6) == raw
    assert units.raw(units.sol(-raw), 9) == -raw


@given(quantity=st.decimals(0, 10**12, places=24).map(Quantity), decimals=DECIMALS)
def test_raw_units_are_rounded_down(quantity: Quantity, decimals: int) -> None:
    below = units.quantity(units.raw(quantity, decimals), decimals)
    assert below <= quantity
    assert quantity - below < units.quantity(1, decimals)


@given(usdc=RAW, tokens=RAW, decimals=DECIMALS)
def test_price_times_quantity_rounds_to_the_usdc_swapped(usdc: int, tokens: int, decimals: int) -> None:
    product = units.price(usdc, tokens, decimals) * units.quantity(tokens, decimals)
    paid = units.dollars(usdc)
    assert Money(0) <= paid - product < Money("1e-12")
    assert Money(product.decimal.quantize(MICRO, ROUND_HALF_EVEN, context=Context(prec=60))) == paid
