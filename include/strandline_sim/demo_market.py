"""The demo's market: each symbol follows a volatile path, from the minute at which the engine finds an entry."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from strandline_sim.market.regime import MINUTE_MS, Leg, Regime
from strandline_sim.market.seeded_random import SeededRandom

START_MS: Final = 1_767_225_600_000
"""When all paths begin, before they are shifted."""

_MINUTES: Final = 18_000


class DemoPath(NamedTuple):
    """The path of one symbol: `minute` of the path falls `delay` minutes after the start of the scenario."""

    seed: int
    noise: float
    amplitude: float
    minute: int
    delay: int = 0


DEMO: Final[Mapping[str, DemoPath]] = {
    "ETH": DemoPath(seed=7, noise=4.5, amplitude=0.7, minute=10033),
    "SOL": DemoPath(seed=8, noise=3.1, amplitude=0.9, minute=10513),
    "HYPE": DemoPath(seed=1, noise=3.7, amplitude=1.1, minute=13702),
    "JUP": DemoPath(seed=3, noise=4.9, amplitude=0.6, minute=11511),
    "LINK": DemoPath(seed=0, noise=3.4, amplitude=1.0, minute=6155, delay=5),
    "DOGE": DemoPath(seed=4, noise=4.6, amplitude=0.7, minute=5300, delay=5),
    "BONK": DemoPath(seed=6, noise=2.1, amplitude=0.9, minute=11101, delay=5),
    "kPEPE": DemoPath(seed=8, noise=3.1, amplitude=0.9, minute=9717, delay=10),
    "XRP": DemoPath(seed=0, noise=3.4, amplitude=1.0, minute=7346, delay=10),
    "WIF": DemoPath(seed=3, noise=4.9, amplitude=0.6, minute=8589),
}
"""At `minute` the engine gives a buy signal; trims and exits follow within the hour. Other symbols are calm."""


def demo_legs(symbol: str, path: DemoPath) -> list[Leg]:
    """Declines, bases, uptrends that overextend themselves and crashes, in turn."""
    legs: list[Leg] = []
    start = START_MS
    for regime, bars, drift, swings in _phases(symbol, path):
        if start >= START_MS + _MINUTES * MINUTE_MS:
            break
        end = start + bars * MINUTE_MS
        legs.append(Leg(regime=regime, start_ms=start, end_ms=end, drift=drift, swings=swings, noise=path.noise))
        start = end
    return legs


def _phases(symbol: str, path: DemoPath) -> Iterator[tuple[Regime, int, float, int]]:
    chance = SeededRandom(path.seed).generator(symbol, "storm", 0)
    while True:
        bars = chance.integers([500, 60, 250, 20, 20], [900, 150, 450, 60, 60]).tolist()
        down, up, blow_off, crash = (
            chance.uniform([0.2, 0.25, 0.05, 0.08], [0.35, 0.45, 0.15, 0.2]) * path.amplitude
        ).tolist()
        yield Regime.TREND_DOWN, bars[0], -down, 8
        yield Regime.RANGE, bars[1], 0.0, 3
        yield Regime.TREND_UP, bars[2], up, 6
        yield Regime.TREND_UP, bars[3], blow_off, 1
        yield Regime.CRASH, bars[4], -crash, 1
