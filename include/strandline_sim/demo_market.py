"""The demo scenario: volatile price paths that begin at a minute at which the engine finds an entry."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from strandline_sim.market.regime import MINUTE_MS, Leg, Regime
from strandline_sim.market.seeded_random import SeededRandom

START_MS: Final = 1_767_225_600_000
"""Where all paths begin, before they are shifted."""

_MINUTES: Final = 18_000

_RIPPLES: Final = 14
_FIRST_RISE: Final = 0.02
_RIPPLE_HEIGHT: Final = 0.016
_RIPPLE_NOISE: Final = 0.15
"""Low, so that the price hardly moves between decision and order."""


class DemoPath(NamedTuple):
    """The path of one symbol: `minute` of the path comes `delay` minutes after the start of the scenario.

    A rippling path has five-minute ripples before its uptrend; each repeats the engine's buy signal.
    """

    seed: int
    noise: float
    amplitude: float
    minute: int
    delay: int = 0
    rippling: bool = False


DEMO: Final[Mapping[str, DemoPath]] = {
    "ETH": DemoPath(seed=7, noise=4.5, amplitude=0.7, minute=10033),
    "SOL": DemoPath(seed=8, noise=3.1, amplitude=0.9, minute=10513),
    "HYPE": DemoPath(seed=1, noise=3.7, amplitude=1.1, minute=13702),
    "LINK": DemoPath(seed=0, noise=3.4, amplitude=1.0, minute=6155, delay=5),
    "DOGE": DemoPath(seed=4, noise=4.6, amplitude=0.7, minute=5300, delay=5),
    "kPEPE": DemoPath(seed=8, noise=3.1, amplitude=0.9, minute=9717, delay=10),
    "XRP": DemoPath(seed=0, noise=3.4, amplitude=1.0, minute=7346, delay=10),
    "BTC": DemoPath(seed=1, noise=0.5, amplitude=0.25, minute=13054, rippling=True),
    "BNB": DemoPath(seed=0, noise=0.5, amplitude=0.25, minute=13830, rippling=True),
    "JUP": DemoPath(seed=0, noise=2.0, amplitude=1.0, minute=10117, rippling=True),
    "BONK": DemoPath(seed=1, noise=2.0, amplitude=1.0, minute=12024, rippling=True),
    "WIF": DemoPath(seed=0, noise=2.0, amplitude=1.0, minute=7268, rippling=True),
}
"""At `minute` the engine gives a buy signal; trims and exits follow within the hour.

Rippling paths give it every five minutes for half an hour, so that the first cycle has entries on both venues.
"""


def demo_legs(symbol: str, path: DemoPath) -> list[Leg]:
    """Make the legs: decline, base, uptrend, blow-off and crash, in turn."""
    legs: list[Leg] = []
    start = START_MS
    for regime, bars, drift, swings, noise in (_rippling_phases if path.rippling else _volatile_phases)(symbol, path):
        if start >= START_MS + _MINUTES * MINUTE_MS:
            break
        end = start + bars * MINUTE_MS
        legs.append(Leg(regime=regime, start_ms=start, end_ms=end, drift=drift, swings=swings, noise=noise))
        start = end
    return legs


_Phase = tuple[Regime, int, float, int, float]
"""Regime, minutes, drift, swings, noise."""


def _volatile_phases(symbol: str, path: DemoPath) -> Iterator[_Phase]:
    rng = SeededRandom(path.seed).generator(symbol, "storm", 0)
    while True:
        bars = rng.integers([500, 60, 250, 20, 20], [900, 150, 450, 60, 60]).tolist()
        down, up, blow_off, crash = (
            rng.uniform([0.2, 0.25, 0.05, 0.08], [0.35, 0.45, 0.15, 0.2]) * path.amplitude
        ).tolist()
        yield Regime.TREND_DOWN, bars[0], -down, 8, path.noise
        yield Regime.RANGE, bars[1], 0.0, 3, path.noise
        yield Regime.TREND_UP, bars[2], up, 6, path.noise
        yield Regime.TREND_UP, bars[3], blow_off, 1, path.noise
        yield Regime.CRASH, bars[4], -crash, 1, path.noise


def _rippling_phases(symbol: str, path: DemoPath) -> Iterator[_Phase]:
    rng = SeededRandom(path.seed).generator(symbol, "ripples", 0)
    height = _RIPPLE_HEIGHT * path.amplitude
    while True:
        bars = rng.integers([500, 60, 30, 220, 20, 20], [900, 150, 90, 360, 60, 60]).tolist()
        down, up, blow_off, crash = (
            rng.uniform([0.2, 0.22, 0.05, 0.08], [0.35, 0.38, 0.15, 0.2]) * path.amplitude
        ).tolist()
        yield Regime.TREND_DOWN, bars[0], -down, 8, path.noise
        yield Regime.RANGE, bars[1], 0.0, 3, path.noise
        yield Regime.TREND_UP, bars[2], _FIRST_RISE * path.amplitude, 2, path.noise
        for _ in range(_RIPPLES):
            yield Regime.TREND_UP, 2, height, 1, _RIPPLE_NOISE
            yield Regime.RANGE, 2, 0.0, 1, _RIPPLE_NOISE
            yield Regime.TREND_DOWN, 1, -height, 1, _RIPPLE_NOISE
        yield Regime.TREND_UP, bars[3], up, 6, path.noise
        yield Regime.TREND_UP, bars[4], blow_off, 1, path.noise
        yield Regime.CRASH, bars[5], -crash, 1, path.noise
