"""One new bar of a thousand series, and a million bars of one, without a database."""

import time
from collections.abc import Callable
from itertools import count
from typing import Final

import numpy as np

from benchmarks.benchmark import BenchmarkError
from benchmarks.engine.series import HISTORY, SERIES, bars_of, walk, walk_of, walks, warmed_up
from benchmarks.engine.talib_side import indicators_of_all
from benchmarks.rounds import ROUNDS
from strandline.engine import Engine
from strandline.model.strategy import Strategy

_REPEATED: Final = 10
_MILLION: Final = 1_000_000
_SLICE: Final = 5_000


def both_sides(strategy: Strategy, *, signals: bool) -> tuple[Callable[[], float], Callable[[], float]]:
    """The seconds of the engine's step of all series, and of TA-Lib over the history of each.

    Each step takes the next bar of every series; it writes into the outputs of the step before. With `signals` it also
    keeps what signals need beside the outputs.
    """
    every = walks(HISTORY + _REPEATED * ROUNDS + 1)
    engine, stored = warmed_up(strategy, every)
    states = engine.states(stored)
    numbers = [walk_of(place) for place in range(SERIES)]
    counts = np.ones(SERIES, dtype=np.int64)
    histories = [bars_of(every, [number], 0, HISTORY) for number in numbers]
    new = (bars_of(every, numbers, at, at + 1) for at in count(HISTORY - 1))
    outputs = engine.advance(states, next(new), counts, signals=signals)

    def ours() -> float:
        nonlocal outputs
        seconds = 0.0
        for _ in range(_REPEATED):
            bars, stepped = next(new), int(outputs.bar_states["bar_count"][0])
            began = time.perf_counter()
            outputs = engine.advance(states, bars, counts, signals=signals, into=outputs)
            seconds += time.perf_counter() - began
            if not np.all(outputs.bar_states["bar_count"] == stepped + 1):
                raise BenchmarkError("the series were not stepped")
        return seconds / _REPEATED

    def theirs() -> float:
        began = time.perf_counter()
        indicators_of_all(histories)
        return time.perf_counter() - began

    return ours, theirs


def million_bars(strategy: Strategy) -> tuple[float, float]:
    """The seconds of a million bars of one series: of which the newest output is kept, and all of them."""
    engine, bars = Engine(strategy), walk(1, _MILLION)
    began = time.perf_counter()
    newest, _ = engine.run(engine.new_state(), bars, 1)
    history = time.perf_counter() - began
    parts = [bars_of([bars], [0], at, at + _SLICE) for at in range(0, _MILLION, _SLICE)]
    states, outputs = engine.states([engine.new_state()]), None
    began = time.perf_counter()
    for part in parts:
        outputs = engine.advance(states, part, [_SLICE], signals=False, into=outputs)
    every = time.perf_counter() - began
    if states[0].tobytes() != newest:
        raise BenchmarkError("what is kept changed the state")
    return history, every
