"""Both sides of the engine benchmark compute the same indicators."""

import numpy as np
import pytest

from benchmarks.engine.series import HISTORY, SERIES, walk_of, walks, warmed_up
from benchmarks.engine.talib_side import indicators
from strandline.engine import Engine
from tests.engine.samples import STRATEGY


def test_talib_computes_what_the_engine_computes() -> None:
    bars = walks(HISTORY)[0]
    engine = Engine(STRATEGY)
    ours = engine.run(engine.new_state(), bars, 1)[1].indicators[0]
    *averages, atr, usual, rsi, adx, s20, s60, s144, s250, s333, rsi_slope, adx_slope = (
        column[-1] for column in indicators(bars.high, bars.low, bars.close)
    )
    found = [*averages[:3], atr, atr / usual, rsi, adx, s20 / averages[0], s60 / averages[2], rsi_slope, adx_slope]
    names = "ema20 ema30 ema60 atr atr_ratio rsi adx slope20 slope60 rsi_slope adx_slope"
    assert found == pytest.approx([ours[name] for name in names.split()], rel=1e-6)
    # The slow averages begin with a mean of their first values: a thousand bars later one still sees it.
    assert averages[3:] == pytest.approx([ours[name] for name in ("ema144", "ema250", "ema333")], rel=1e-2)
    assert np.sign([s144, s250, s333]).tolist() == np.sign([ours[f"slope{n}"] for n in (144, 250, 333)]).tolist()


def test_every_series_has_the_state_of_its_walk() -> None:
    every = walks(HISTORY)
    _, states = warmed_up(STRATEGY, every)
    assert len(states) == SERIES
    assert len(set(states)) == len(every)
    assert states[0] == states[len(every)] != states[1]
    assert walk_of(SERIES - 1) == (SERIES - 1) % len(every)
