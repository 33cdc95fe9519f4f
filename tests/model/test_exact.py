"""Money, Amount, Price, Quantity and Ratio are exact, normalised and never mixed."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.exact import Amount, Exact, Money, Price, Quantity, Ratio, decimal_of_float
from tests.model import generated

KINDS: list[type[Exact]] = [Money, Amount, Price, Quantity, Ratio]


@given(st.sampled_from(KINDS), st.integers(1, 10**30), st.integers(-20, 20), st.integers(0, 9))
def test_equal_values_have_equal_text_hash_and_bytes(kind: type[Exact], digits: int, exponent: int, zeros: int) -> None:
    plain = Decimal(digits).scaleb(exponent)
    padded = Decimal(f"{digits}{'0' * zeros}E{exponent - zeros}")
    assert kind(plain) == kind(padded)
    assert hash(kind(plain)) == hash(kind(padded))
    assert str(kind(plain)) == str(kind(padded))
    assert "E" not in str(kind(plain))
    assert canonical_bytes(kind(plain)) == canonical_bytes(kind(padded))
    assert from_json(canonical_bytes(kind(plain)), kind) == kind(plain)


@given(generated.moneys, generated.moneys, generated.moneys)
def test_money_adds_up(one: Money, two: Money, three: Money) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + two - two == one
    assert one + -one == Money(0)


@given(generated.prices, generated.quantities, generated.quantities)
def test_a_price_times_two_quantities_is_the_price_times_both(price: Price, one: Quantity, two: Quantity) -> None:
    assert price * one + price * two == price * (one + two)
    assert one * price == price * one


@given(generated.amounts, generated.amounts, generated.prices)
def test_an_amount_is_worth_the_sum_of_its_parts(one: Amount, two: Amount, price: Price) -> None:
    assert (one + two).at(price) == one.at(price) + two.at(price)
    assert (-one).at(price) == -one.at(price)


@given(generated.quantities, generated.quantities)
def test_subtracting_more_than_there_is_is_refused(held: Quantity, sold: Quantity) -> None:
    if sold > held:
        with pytest.raises(ValueError, match="Quantity must be at least 0"):
            held - sold
    else:
        assert (held - sold) + sold == held


@given(generated.quantities, generated.positive_quantities)
def test_lots_round_down_and_lose_less_than_one_lot(quantity: Quantity, lot: Quantity) -> None:
    rounded = quantity.in_lots(lot)
    assert rounded <= quantity < rounded + lot
    assert rounded.in_lots(lot) == rounded


@given(generated.moneys.filter(lambda money: money >= Money(0)), generated.prices, generated.positive_quantities)
def test_money_never_buys_more_than_it_pays_for(money: Money, price: Price, lot: Quantity) -> None:
    bought = money.buys(price, lot)
    assert price * bought <= money < price * (bought + lot) + price * lot


@given(generated.moneys.filter(lambda money: money > Money(1)), st.integers(1, 10**6))
def test_a_price_per_unit_is_rounded_down(money: Money, units: int) -> None:
    price = money.per(Quantity(units))
    assert price * Quantity(units) <= money
    assert (money - price * Quantity(units)).decimal < Decimal(units) * Decimal("1e-18")


@given(st.floats(1e-15, 1e15))
def test_a_float_becomes_the_decimal_that_reads_back_as_it(value: float) -> None:
    assert float(decimal_of_float(value)) == value
    assert float(Price.from_float(value)) == value


@given(st.integers(1, 10**15 - 1), st.integers(0, 12))
def test_a_price_of_fifteen_digits_survives_a_double(digits: int, places: int) -> None:
    written = Decimal(digits).scaleb(-places)
    assert Price.from_float(float(written)) == Price(written)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [1.5, True, None, b"1", [1]])
def test_only_exact_numbers_are_taken(kind: type[Exact], bad: Any) -> None:
    with pytest.raises(TypeError, match="expected Decimal, int or str"):
        kind(bad)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", ["", "one", "1,5", "NaN", "sNaN", "Infinity", "-Infinity", "1e61", "1e-61", "1" * 61])
def test_text_that_is_no_number_or_too_long_is_refused(kind: type[Exact], bad: str) -> None:
    with pytest.raises(ValueError, match=r"number|digits|must be"):
        kind(bad)


@pytest.mark.parametrize(
    ("kind", "bad"), [(Price, "0"), (Price, "-1"), (Quantity, "-0.1"), (Ratio, "-0.1")], ids=lambda value: str(value)
)
def test_each_kind_keeps_its_bounds(kind: type[Exact], bad: str) -> None:
    with pytest.raises(ValueError, match=f"{kind.__name__} must be"):
        kind(bad)


@pytest.mark.parametrize("mix", [operator.add, operator.sub, operator.mul, operator.lt, operator.le])
@pytest.mark.parametrize(
    ("one", "other"), [(Money(1), Quantity(1)), (Price(1), Money(1)), (Money(1), 1), (Price(1), 2)]
)
def test_kinds_do_not_mix(mix: Callable[[Any, Any], Any], one: object, other: object) -> None:
    with pytest.raises(TypeError):
        mix(one, other)
    assert one != other


def test_a_product_that_would_have_to_round_is_refused() -> None:
    tiny = Quantity(Decimal(1).scaleb(-59))
    with pytest.raises(ValueError, match="more than 60 digits"):
        Price(Decimal(1).scaleb(-59)) * tiny


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_cannot_be_changed(kind: type[Exact]) -> None:
    value = kind(1)
    with pytest.raises(AttributeError, match="immutable"):
        value.decimal = Decimal(2)
    with pytest.raises(AttributeError, match="immutable"):
        del value.decimal
