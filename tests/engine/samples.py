"""Sample series of bars (random walks, a trend from decline to crash), and the engine with default parameters."""

import hashlib
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from strandline.engine import Bars, Engine, Outputs, as_bars
from strandline.engine.bars import GAPS
from strandline.model.signal import EngineState
from strandline.settings import Settings
from strandline.strategy import load_strategy
from strandline_sim.market.market import Market
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.market.spec import perp

MINUTE: Final = 60_000_000
START_MS: Final = 1_788_220_800_000
STRATEGY: Final = load_strategy(Settings())
ENGINE: Final = Engine(STRATEGY)
READY: Final = STRATEGY.history.bars_for_flags
FIRST_STATE: Final = STRATEGY.history.bars_for_state
STATES: Final = tuple(EngineState)

# Regime, minutes, drift, swings, noise. The decline is longer than the bars that states need, so that the turn is seen.
_TREND: Final = (
    (Regime.TREND_DOWN, 720, -0.36, 10, 0.5),
    (Regime.RANGE, 100, 0.0, 3, 0.5),
    (Regime.TREND_UP, 420, 0.45, 6, 0.6),
    (Regime.TREND_UP, 30, 0.14, 1, 0.8),
    (Regime.RANGE, 50, -0.05, 2, 0.8),
    (Regime.CRASH, 60, -0.16, 1, 0.8),
    (Regime.TREND_DOWN, 320, -0.28, 6, 0.6),
)


def bars_of_closes(closes: Any, spread: float = 0.0004, volumes: Any = None, first: int = START_MS * 1000) -> Bars:
    """A bar a minute that opens where the one before it closed, and reaches a little beyond both."""
    close = np.asarray(closes, dtype=float)
    open_ = np.concatenate([close[:1], close[:-1]])
    n = len(close)
    return as_bars(
        first + MINUTE * np.arange(n),
        np.zeros(n),
        open_,
        np.maximum(open_, close) * (1 + spread),
        np.minimum(open_, close) * (1 - spread),
        close,
        np.full(n, 10.0) if volumes is None else volumes,
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
    )


def random_bars(seed: int, n: int, volatility: float = 0.002) -> Bars:
    """A random walk whose trend changes now and then; some volumes are unknown, and after gaps of any kind it jumps."""
    random = np.random.default_rng(seed)
    drift = np.repeat(random.normal(0, volatility / 4, n // 80 + 1), 80)[:n]
    bars = bars_of_closes(100 * np.exp(np.cumsum(drift + random.normal(0, volatility, n))))
    stretch = 1 + np.abs(random.normal(0, volatility, (2, n)))
    volume = np.where(random.random(n) < 0.05, np.nan, random.lognormal(3, 2, n))
    gap = np.where(random.random(n) < 0.05, random.integers(1, len(GAPS), n), 0).astype("u1")
    return bars._replace(
        open=np.where(gap > 0, bars.close, bars.open),
        high=np.where(gap > 0, bars.close, bars.high) * stretch[0],
        low=np.where(gap > 0, bars.close, bars.low) / stretch[1],
        volume=volume,
        gap=gap,
        gap_magnitude_pct=np.where(gap > 0, random.normal(0, 1, n), 0.0),
    )


def trend_bars(seed: int, volatility: float = 0.7, amplitude: float = 1.0) -> Bars:
    """A long decline, a base, an uptrend with pullbacks that overextends itself, and its end, minute by minute."""
    spec = perp("SOL", "150", 2, trades_per_minute=30.0, volatility=volatility)
    minute = MINUTE // 1000
    legs: list[Leg] = []
    end = START_MS
    for regime, minutes, drift, swings, noise in _TREND:
        start, end = end, end + minutes * minute
        drift *= amplitude
        legs.append(Leg(regime=regime, start_ms=start, end_ms=end, drift=drift, swings=swings, noise=noise))
    candles = Market(seed, [spec], {"SOL": legs}).candles("SOL", minute, START_MS, end)
    prices = ([float(getattr(candle, name)) for candle in candles] for name in ("open", "high", "low", "close"))
    times, volumes = [candle.time * 1000 for candle in candles], [float(candle.volume) for candle in candles]
    return as_bars(times, [0] * len(times), *prices, volumes, *[[0] * len(times)] * 3)


def bars_between(bars: Bars, start: int, end: int) -> Bars:
    """The bars from `start` until before `end`."""
    return Bars._make(column[start:end].copy() for column in bars)


def concatenated(*parts: Bars) -> Bars:
    """All bars in one."""
    return Bars._make(np.concatenate(column) for column in zip(*parts, strict=True))


def run(bars: Bars) -> Outputs:
    """The outputs of a new series for these bars."""
    return ENGINE.run(ENGINE.new_state(), bars)[1]


def digest() -> str:
    """A digest of the state and of all outputs of a random series."""
    state, outputs = ENGINE.run(ENGINE.new_state(), random_bars(5, 1500))
    return hashlib.sha256(state + b"".join(part.tobytes() for part in outputs[1:])).hexdigest()


def same_bytes(left: Outputs, right: Outputs) -> bool:
    """Whether the outputs are equal byte for byte."""
    return all(
        a.tobytes() == b.tobytes()
        for one, other in zip(left, right, strict=True)
        for a, b in zip(_columns(one), _columns(other), strict=True)
    )


def concatenated_outputs(left: Outputs, right: Outputs) -> Outputs:
    """The rows of both, in order."""
    bars = concatenated(left.bars, right.bars)
    return Outputs(bars, *(_stacked(*pair) for pair in zip(left[1:], right[1:], strict=True)))


def _stacked(first: Any, second: Any) -> Any:
    """One after the other; NumPy's own function leaves random bytes in the padding of records."""
    both = np.zeros((len(first) + len(second), *first.shape[1:]), first.dtype)
    both[: len(first)], both[len(first) :] = first, second
    return both


def _columns(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Bars) else (value,)


seeds = st.integers(0, 2**32 - 1)
