"""The exponential and the logarithm are as good as the C library's, and what is built on them keeps its bounds."""

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


@given(st.floats(allow_nan=False))
def test_sigmoid(x: float) -> None:
    value = arithmetic.sigmoid(x)
    assert 0 < value <= 1
    assert (value > 0.5) <= (x > 0)
    assert (value < 0.5) <= (x < 0)
    assert math.isclose(value + arithmetic.sigmoid(-x), 1)


@given(st.floats(-2, 2))
def test_rounded(score: float) -> None:
    found = arithmetic.rounded(score)
    assert abs(found - score) <= 0.5000001e-9
    assert arithmetic.rounded(found) == found
    assert len(repr(found).lower().split("e")[0].partition(".")[2]) <= 9


@given(numbers, numbers)
def test_over(x: float, scale: float) -> None:
    value = arithmetic.over(x, scale)
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
def test_what_does_not_move_has_no_slope(value: float, n: int) -> None:
    assert arithmetic.slope(np.full(n, value)) == 0
