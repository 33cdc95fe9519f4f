"""A thousand series: random walks, each with bars enough to be ready for flags."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from strandline.engine import Bars, Engine, Series, as_bars
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe

Floats: TypeAlias = npt.NDArray[np.float64]

SERIES: Final = 1_000
HISTORY: Final = 1_000
"""Bars of each series: what somebody who keeps no state reads and computes again for one new bar."""
TIMEFRAME: Final = Timeframe.M1
FIRST: Final = 1_790_000_040_000_000
"""The first bar of every series, in microseconds."""

_WALKS: Final = 25
_MINUTE: Final = 60_000_000
_VOLATILITY: Final = 0.002


def walk(seed: int, length: int, volatility: float = _VOLATILITY) -> Bars:
    """A random walk whose trend changes now and then: it passes all states, and turns often enough to have levels."""
    random = np.random.default_rng(seed)
    drift = np.repeat(random.normal(0, volatility / 4, length // 80 + 1), 80)[:length]
    close = 100 * np.exp(np.cumsum(drift + random.normal(0, volatility, length)))
    open_ = np.concatenate([close[:1], close[:-1]])
    above, below = 1 + np.abs(random.normal(0, volatility / 2, (2, length)))
    return as_bars(
        FIRST + _MINUTE * np.arange(length),
        np.zeros(length),
        open_,
        np.maximum(open_, close) * above,
        np.minimum(open_, close) / below,
        close,
        random.lognormal(3, 2, length),
        np.zeros(length),
        np.zeros(length),
        np.zeros(length),
    )


def walks(length: int) -> list[Bars]:
    """The walks that the series take; a series has the number of its place."""
    return [walk(seed, length) for seed in range(_WALKS)]


def bars_of(every: Sequence[Bars], numbers: Sequence[int], first: int, last: int) -> Bars:
    """The bars from `first` until before `last` of the walks with these numbers, one after the other."""
    parts = [[column[first:last] for column in every[number]] for number in numbers]
    return Bars(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def walk_of(series: int) -> int:
    """The number of the walk that a series takes."""
    return series % _WALKS


def series_keys() -> list[Series]:
    """The keys of the series; instruments are counted from 1."""
    return [Series(place + 1, TIMEFRAME, 1) for place in range(SERIES)]


def states_after(engine: Engine, every: Sequence[Bars], length: int) -> list[bytes]:
    """The state of each walk after so many bars."""
    fresh = [engine.new_state()] * len(every)
    bars = bars_of(every, range(len(every)), 0, length)
    return engine.run_many(fresh, bars, [length] * len(every), [1] * len(every))[0]


def warmed_up(strategy: Strategy, every: Sequence[Bars]) -> tuple[Engine, list[bytes]]:
    """The engine, and the states of all series before their newest bar."""
    engine = Engine(strategy)
    states = states_after(engine, every, HISTORY - 1)
    return engine, [states[walk_of(place)] for place in range(SERIES)]
