"""The demo's market: each symbol plays a stormy path, and comes in where its path is worth watching."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from strandline_sim.market.draws import Draws
from strandline_sim.market.regime import MINUTE_MS, Leg, Regime

START_MS: Final = 1_767_225_600_000
"""Where all paths begin, in their own time."""

_MINUTES: Final = 18_000


class Part(NamedTuple):
    """What a symbol plays: one of many storms, whose `minute` is there `enters` minutes after the scene's moment."""

    storm: int
    noise: float
    amplitude: float
    minute: int
    enters: int = 0


DEMO: Final[Mapping[str, Part]] = {
    "ETH": Part(storm=7, noise=4.5, amplitude=0.7, minute=10033),
    "SOL": Part(storm=8, noise=3.1, amplitude=0.9, minute=10513),
    "HYPE": Part(storm=1, noise=3.7, amplitude=1.1, minute=13702),
    "JUP": Part(storm=3, noise=4.9, amplitude=0.6, minute=11511),
    "LINK": Part(storm=0, noise=3.4, amplitude=1.0, minute=6155, enters=5),
    "DOGE": Part(storm=4, noise=4.6, amplitude=0.7, minute=5300, enters=5),
    "BONK": Part(storm=6, noise=2.1, amplitude=0.9, minute=11101, enters=5),
    "kPEPE": Part(storm=8, noise=3.1, amplitude=0.9, minute=9717, enters=10),
    "XRP": Part(storm=0, noise=3.4, amplitude=1.0, minute=7346, enters=10),
    "WIF": Part(storm=3, noise=4.9, amplitude=0.6, minute=8589),
}
"""At the minute that is named the engine says buy; trims and exits follow within the hour. The others are calm."""


def storm(symbol: str, part: Part) -> list[Leg]:
    """Declines, bases, trends that overextend themselves, and crashes, one after the other."""
    legs: list[Leg] = []
    start = START_MS
    for regime, bars, drift, swings in _acts(symbol, part):
        if start >= START_MS + _MINUTES * MINUTE_MS:
            break
        end = start + bars * MINUTE_MS
        legs.append(Leg(regime=regime, start_ms=start, end_ms=end, drift=drift, swings=swings, noise=part.noise))
        start = end
    return legs


def _acts(symbol: str, part: Part) -> Iterator[tuple[Regime, int, float, int]]:
    chance = Draws(part.storm).generator(symbol, "storm", 0)
    while True:
        bars = chance.integers([500, 60, 250, 20, 20], [900, 150, 450, 60, 60]).tolist()
        down, up, blow_off, crash = (
            chance.uniform([0.2, 0.25, 0.05, 0.08], [0.35, 0.45, 0.15, 0.2]) * part.amplitude
        ).tolist()
        yield Regime.TREND_DOWN, bars[0], -down, 8
        yield Regime.RANGE, bars[1], 0.0, 3
        yield Regime.TREND_UP, bars[2], up, 6
        yield Regime.TREND_UP, bars[3], blow_off, 1
        yield Regime.CRASH, bars[4], -crash, 1
