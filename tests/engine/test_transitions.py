"""Which transition is taken when the conditions of two hold on the same bar."""

from typing import Any

import numpy as np
import pytest
from numba import njit

from strandline.engine.memory import NONE, Memories
from strandline.engine.parameters import parameters
from strandline.engine.results import INDICATORS
from strandline.engine.states import NO_EXIT, S0, S1, S2, S3, TREND_FAILED, move
from tests.engine.things import STRATEGY

MEMORIES = Memories(STRATEGY)
PARAMETERS = parameters(STRATEGY)
RISING = {"ema20": 106.0, "ema30": 105.0, "ema60": 104.0, "ema144": 103.0, "ema250": 102.0, "ema333": 101.0}
FALLING = {"ema20": 95.0, "ema30": 96.0, "ema60": 97.0, "ema144": 98.0, "ema250": 99.0, "ema333": 100.0}
MIXED = RISING | {"ema144": 101.5}


@njit
def _move(memories: Any, strategy: Any, indicators: Any) -> int:
    return move(memories[0], strategy[0], indicators[0])


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
    memories = MEMORIES.read([MEMORIES.fresh()])
    memories["bars"], memories["state"], memories["ts"], memories["attempt"] = 1000, state, 7, 5
    indicators = np.zeros(1, INDICATORS)
    for name, value in (averages | {"close": close}).items():
        indicators[name] = value
    assert _move(memories, PARAMETERS, indicators) == exit_reason
    assert memories["state"][0] == expected
    assert memories["attempt"][0] == (NONE if expected == S0 else 5)
