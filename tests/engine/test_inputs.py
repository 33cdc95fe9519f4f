"""What is missing, not finite or impossible raises; the engine never guesses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strandline.engine import Bars, Engine
from strandline.model.errors import ConfigurationError, StrandlineError
from tests.engine import things
from tests.engine.things import ENGINE, STRATEGY

BARS = things.random_bars(1, 50)
PRICES = ("open", "high", "low", "close")


def spoiled(field: str, at: int, value: float) -> Bars:
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
        ENGINE.run(ENGINE.fresh(), spoiled(field, at, value))


@given(at=st.integers(0, 49), value=st.sampled_from([math.inf, -math.inf, -1.0]))
def test_volumes(at: int, value: float) -> None:
    with pytest.raises(ValueError, match="a volume is negative or infinite"):
        ENGINE.run(ENGINE.fresh(), spoiled("volume", at, value))


@pytest.mark.parametrize(("field", "factor"), [("low", 2.0), ("high", 0.5), ("open", 2.0), ("close", 0.5)])
def test_shapes(field: str, factor: float) -> None:
    with pytest.raises(ValueError, match="open and close do not lie between low and high"):
        ENGINE.run(ENGINE.fresh(), spoiled(field, 20, getattr(BARS, field)[20] * factor))


def test_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        ENGINE.run(ENGINE.fresh(), BARS._replace(close=BARS.close[:-1]))


@pytest.mark.parametrize("counts", [[49], [51], [50, 0], [-1, 51]])
def test_counts_that_do_not_fit(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="count"):
        ENGINE.run_many([ENGINE.fresh()], BARS, counts)


def test_no_bars() -> None:
    memory, outputs = ENGINE.run(ENGINE.fresh(), things.part_of(BARS, 0, 0))
    assert (memory, len(outputs.heads)) == (ENGINE.fresh(), 0)
    assert ENGINE.run_many([], things.part_of(BARS, 0, 0), [])[0] == []
    assert ENGINE.progress(outputs) == []


@pytest.mark.parametrize("memory", [b"", ENGINE.fresh()[:-8], bytes(len(ENGINE.fresh()))])
def test_a_memory_of_something_else(memory: bytes) -> None:
    with pytest.raises(StrandlineError, match="made by another engine version"):
        ENGINE.run(memory, BARS)


def test_a_memory_of_other_lengths() -> None:
    spans = replace(STRATEGY.indicators, ema_bars=(20, 30, 60, 144, 250, 334))
    other = Engine(replace(STRATEGY, indicators=spans))
    with pytest.raises(StrandlineError, match="other indicators"):
        other.run(ENGINE.run(ENGINE.fresh(), BARS)[0], BARS)


def test_a_memory_outlives_what_it_does_not_depend_on() -> None:
    flags = replace(STRATEGY.flags, trim=replace(STRATEGY.flags.trim, min_overextension=0.7))
    memory = ENGINE.run(ENGINE.fresh(), things.part_of(BARS, 0, 20))[0]
    Engine(replace(STRATEGY, flags=flags)).run(memory, things.part_of(BARS, 20, 50))


def test_too_few_bars_for_a_state() -> None:
    hasty = replace(STRATEGY.history, bars_for_state=40)
    with pytest.raises(ConfigurationError, match="from 51 on"):
        Engine(replace(STRATEGY, history=hasty))


def test_the_given_memory_stays() -> None:
    memory = ENGINE.fresh()
    before = bytes(memory)
    ENGINE.run(memory, BARS)
    assert memory == before
    assert np.array_equal(BARS.close, things.random_bars(1, 50).close)
