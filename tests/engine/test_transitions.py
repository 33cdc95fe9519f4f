"""The transition that is taken when the conditions of two hold on the same bar."""

from typing import Any

import numpy as np
import pytest
from numba import njit

from strandline.engine.parameters import parameters
from strandline.engine.results import INDICATORS
from strandline.engine.series_state import NO_INSTANT, StateFormat
from strandline.engine.states import NO_EXIT, S0, S1, S2, S3, TREND_FAILED, next_state
from tests.engine.samples import STRATEGY

FORMAT = StateFormat(STRATEGY)
PARAMETERS = parameters(STRATEGY)
RISING = {"ema20": 106.0, "ema30": 105.0, "ema60": 104.0, "ema144": 103.0, "ema250": 102.0, "ema333": 101.0}
FALLING = {"ema20": 95.0, "ema30": 96.0, "ema60": 97.0, "ema144": 98.0, "ema250": 99.0, "ema333": 100.0}
MIXED = RISING | {"ema144": 101.5}


@njit
def _move(states: Any, strategy: Any, indicators: Any) -> int:
    return next_state(states[0], strategy[0], indicators[0])


@pytest.mark.parametrize(
    ("state", "averages", "close", "expected", "exit_reason"),
    [
        (S2, RISING, 100.0, S1, NO_EXIT),  # below EMA 333 comes before the order of S3
        (S2, RISING, 101.0, S3, NO_EXIT),
        (S2, MIXED, 100.0, S1, NO_EXIT),
        (S2, MIXED, 101.0, S2, NO_EXIT),
        (S1, FALLING, 101.0, S0, TREND_FAILED),  # the order of S0 comes before above EMA 333
        (S1, MIXED, 101.5, S2, NO_EXIT),
        (S1, MIXED, 101.0, S1, NO_EXIT),
    ],
)
def test_the_first_transition_that_holds_is_taken(
    state: int, averages: dict[str, float], close: float, expected: int, exit_reason: int
) -> None:
    states = FORMAT.read([FORMAT.new_state()])
    states["bars"], states["state"], states["ts"], states["attempt"] = 1000, state, 7, 5
    indicators = np.zeros(1, INDICATORS)
    for name, value in (averages | {"close": close}).items():
        indicators[name] = value
    assert _move(states, PARAMETERS, indicators) == exit_reason
    assert states["state"][0] == expected
    assert states["attempt"][0] == (NO_INSTANT if expected == S0 else 5)
