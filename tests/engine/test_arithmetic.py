"""Exponential and logarithm agree with the C library to the last place; functions built on them keep their bounds."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strandline.engine import arithmetic

numbers = st.floats(-1e12, 1e12)


@given(st.floats(-700, 700))
def test_exp(x: float) -> None:
    assert abs(arithmetic.exp(x) - math.exp(x)) <= math.ulp(math.exp(x))


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_log(x: float) -> None:
    assert abs(arithmetic.log(x) - math.log(x)) <= math.ulp(math.log(x))


def sigmoids(*values: float) -> list[float]:
    found = np.array(values)
    arithmetic.sigmoids(found, np.empty(len(found), "i8"))
    return [float(value) for value in found]


@given(st.floats(allow_nan=False))
def test_sigmoid(x: float) -> None:
    value, opposite = sigmoids(x, -x)
    assert 0 < value <= 1
    assert (value > 0.5) <= (x > 0)
    assert (value < 0.5) <= (x < 0)
    assert math.isclose(value + opposite, 1)


@given(st.lists(st.floats(-80, 80), min_size=1, max_size=40))
def test_sigmoids_of_many_values_are_those_of_each(values: list[float]) -> None:
    clipped = [min(60.0, max(-60.0, x)) for x in values]
    assert sigmoids(*values) == [1 / (1 + arithmetic.exp(-x)) for x in clipped]


@given(st.floats(-2, 2))
def test_round_score(score: float) -> None:
    found = arithmetic.round_score(score)
    assert abs(found - score) <= 0.5000001e-9
    assert arithmetic.round_score(found) == found
    assert len(repr(found).lower().split("e")[0].partition(".")[2]) <= 9


@given(numbers, numbers)
def test_safe_ratio(x: float, scale: float) -> None:
    value = arithmetic.safe_ratio(x, scale)
    assert not math.isnan(value)
    assert value == (x / scale if scale else math.copysign(60, x) if x else 0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_slope(values: list[float]) -> None:
    n = len(values)
    middle = Fraction(n - 1, 2)
    wanted = sum((i - middle) * Fraction(value) for i, value in enumerate(values)) / sum(
        (i - middle) ** 2 for i in range(n)
    )
    assert math.isclose(arithmetic.slope(np.array(values)), wanted, rel_tol=1e-9, abs_tol=1e-8)


@given(st.floats(1e-6, 1e6), st.integers(2, 12))
def test_equal_values_have_no_slope(value: float, n: int) -> None:
    assert arithmetic.slope(np.full(n, value)) == 0
