"""Missing, non-finite and impossible inputs raise; the engine never guesses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strandline.engine import Bars, Engine
from strandline.model.errors import ConfigurationError, StrandlineError
from tests.engine import samples
from tests.engine.samples import ENGINE, STRATEGY

BARS = samples.random_bars(1, 50)
PRICES = ("open", "high", "low", "close")


def with_value(field: str, at: int, value: float) -> Bars:
    column = getattr(BARS, field).copy()
    column[at] = value
    return BARS._replace(**{field: column})


@given(
    field=st.sampled_from(PRICES),
    at=st.integers(0, 49),
    value=st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0]),
)
def test_prices(field: str, at: int, value: float) -> None:
    with pytest.raises(ValueError, match=r"^bar 20.*: a price is missing or not above zero$"):
        ENGINE.run(ENGINE.new_state(), with_value(field, at, value))


@given(at=st.integers(0, 49), value=st.sampled_from([math.inf, -math.inf, -1.0]))
def test_volumes(at: int, value: float) -> None:
    with pytest.raises(ValueError, match="a volume is negative or infinite"):
        ENGINE.run(ENGINE.new_state(), with_value("volume", at, value))


@pytest.mark.parametrize(("field", "factor"), [("low", 2.0), ("high", 0.5), ("open", 2.0), ("close", 0.5)])
def test_open_and_close_outside_the_range(field: str, factor: float) -> None:
    with pytest.raises(ValueError, match="open and close do not lie between low and high"):
        ENGINE.run(ENGINE.new_state(), with_value(field, 20, getattr(BARS, field)[20] * factor))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_magnitude_of_a_gap(value: float) -> None:
    with pytest.raises(ValueError, match="magnitude of its gap is not a number"):
        ENGINE.run(ENGINE.new_state(), with_value("gap_magnitude_pct", 20, value))


def test_a_gap_of_no_known_type() -> None:
    with pytest.raises(ValueError, match="a gap is of no known type"):
        ENGINE.run(ENGINE.new_state(), with_value("gap", 20, 6))


def test_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        ENGINE.run(ENGINE.new_state(), BARS._replace(close=BARS.close[:-1]))


@pytest.mark.parametrize("counts", [[49], [51], [50, 0], [-1, 51]])
def test_counts_that_do_not_match_the_bars(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="count"):
        ENGINE.run_many([ENGINE.new_state()], BARS, counts)


def test_no_bars() -> None:
    state, outputs = ENGINE.run(ENGINE.new_state(), samples.bars_between(BARS, 0, 0))
    assert (state, len(outputs.bar_states)) == (ENGINE.new_state(), 0)
    assert ENGINE.run_many([], samples.bars_between(BARS, 0, 0), [])[0] == []
    assert ENGINE.summaries(outputs) == []


@pytest.mark.parametrize("state", [b"", ENGINE.new_state()[:-8], bytes(len(ENGINE.new_state()))])
def test_invalid_state_bytes(state: bytes) -> None:
    with pytest.raises(StrandlineError, match="made by another engine version"):
        ENGINE.run(state, BARS)


def test_a_state_of_other_parameters() -> None:
    spans = replace(STRATEGY.indicators, ema_bars=(20, 30, 60, 144, 250, 334))
    other = Engine(replace(STRATEGY, indicators=spans))
    with pytest.raises(StrandlineError, match="other indicators"):
        other.run(ENGINE.run(ENGINE.new_state(), BARS)[0], BARS)


def test_a_state_is_valid_under_parameters_that_it_does_not_depend_on() -> None:
    flags = replace(STRATEGY.flags, trim=replace(STRATEGY.flags.trim, min_overextension=0.7))
    state = ENGINE.run(ENGINE.new_state(), samples.bars_between(BARS, 0, 20))[0]
    Engine(replace(STRATEGY, flags=flags)).run(state, samples.bars_between(BARS, 20, 50))


def test_too_few_bars_for_a_state() -> None:
    hasty = replace(STRATEGY.history, bars_for_state=40)
    with pytest.raises(ConfigurationError, match="need 51 bars"):
        Engine(replace(STRATEGY, history=hasty))


def test_the_given_state_is_not_changed() -> None:
    state = ENGINE.new_state()
    before = bytes(state)
    ENGINE.run(state, BARS)
    assert state == before
    assert np.array_equal(BARS.close, samples.random_bars(1, 50).close)
