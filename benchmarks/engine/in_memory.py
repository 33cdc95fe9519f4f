"""One new bar of a thousand series, and a million bars of one, without a database."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.benchmark import BenchmarkError
from benchmarks.engine.series import HISTORY, SERIES, bars_of, walk, walk_of, walks, warmed_up
from benchmarks.engine.talib_side import indicators_of_all
from strandline.engine import Engine
from strandline.model.strategy import Strategy

_REPEATED: Final = 10
_MILLION: Final = 1_000_000


def both_sides(strategy: Strategy) -> tuple[Callable[[], float], Callable[[], float]]:
    """The seconds of the engine's step of all series, and of TA-Lib over the history of each."""
    every = walks(HISTORY)
    engine, states = warmed_up(strategy, every)
    numbers = [walk_of(place) for place in range(SERIES)]
    newest = bars_of(every, numbers, HISTORY - 1, HISTORY)
    histories = [every[number] for number in numbers]
    counts = [1] * SERIES

    def ours() -> float:
        seconds = 0.0
        for _ in range(_REPEATED):
            began = time.perf_counter()
            _, outputs = engine.run_many(states, newest, counts)
            seconds += time.perf_counter() - began
            if not np.all(outputs.bar_states["bar_count"] == HISTORY):
                raise BenchmarkError("the series were not stepped")
        return seconds / _REPEATED

    def theirs() -> float:
        began = time.perf_counter()
        indicators_of_all(histories)
        return time.perf_counter() - began

    ours()
    return ours, theirs


def million_bars(strategy: Strategy) -> float:
    """The seconds of a million bars of one series, of which the newest output is kept."""
    engine, bars = Engine(strategy), walk(1, _MILLION)
    began = time.perf_counter()
    engine.run(engine.new_state(), bars, 1)
    return time.perf_counter() - began
