"""Plans a symbol's price before noise: by its script where there is one, else by the seed."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from strandline.model.record import require
from strandline_sim.market import regime_shapes
from strandline_sim.market.block_levels import BLOCK_MINUTES, BlockLevels
from strandline_sim.market.price_grid import Floats
from strandline_sim.market.regime import MINUTE_MS, Leg, Regime
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.spec import SymbolSpec

# A symbol without a script has its start price where this block starts, at 2026-01-01 09:36.
_ORIGIN_BLOCK: Final = 14_382

# Moves of a seeded block in multiples of the usual one, and how often the rarer regime is chosen.
_SMALL_MOVE: Final = 0.5
_LARGE_MOVE: Final = 1.2
_QUIET_CHANCE: Final = 0.12
_GAP_CHANCE: Final = 0.15
_CRASH_CHANCE: Final = 0.5


class PlannedMinutes(NamedTuple):
    """Consecutive minutes: the log price at which each starts and ends, its noise, and its expected trades."""

    starts: Floats
    ends: Floats
    noise: Floats
    trades: Floats


class _Segment(NamedTuple):
    """A regime from minute `start` to `end`; `level` is the log price at the start."""

    regime: Regime
    start: int
    end: int
    level: float
    move: float
    swings: int
    noise: float


class PricePlan:
    """The price plan of one symbol."""

    def __init__(self, spec: SymbolSpec, random: SeededRandom, legs: Sequence[Leg] = ()) -> None:
        self._spec = spec
        self._random = random
        self._levels = BlockLevels(spec, random)
        self._seeded_segment = lru_cache(maxsize=16)(self._make_seeded_segment)
        level = math.log(float(spec.start_price))
        self._script: list[_Segment] = []
        self._script_start = self._script_end = _ORIGIN_BLOCK * BLOCK_MINUTES
        self._before = self._after = level - self._levels.level(_ORIGIN_BLOCK)
        if legs:
            self._place_legs(legs, level)

    def block(self, index: int) -> PlannedMinutes:
        """Return the minutes of one block: those of the script, and seeded ones before and after it."""
        seeded = self._seeded_segment(index)
        first, stop = index * BLOCK_MINUTES, (index + 1) * BLOCK_MINUTES
        parts = [
            (_shifted(seeded, self._before), first, min(stop, self._script_start)),
            *((segment, max(first, segment.start), min(stop, segment.end)) for segment in self._script),
            (_shifted(seeded, self._after), max(first, self._script_end), stop),
        ]
        pieces = [self._minutes(segment, start, end) for segment, start, end in parts if start < end]
        return PlannedMinutes(*(np.concatenate(column) for column in zip(*pieces, strict=True)))

    def _place_legs(self, legs: Sequence[Leg], level: float) -> None:
        """Place the legs end to end from the start price, and shift the seeded levels to meet both ends."""
        for leg, following in pairwise(legs):
            require(leg.end_ms == following.start_ms, "each leg of a scenario must start where the one before it ends")
        self._script_start, self._script_end = legs[0].start_ms // MINUTE_MS, legs[-1].end_ms // MINUTE_MS
        self._before = level - self._seeded_level(self._script_start)
        for leg in legs:
            move = math.log1p(leg.drift)
            start, end = leg.start_ms // MINUTE_MS, leg.end_ms // MINUTE_MS
            self._script.append(_Segment(leg.regime, start, end, level, move, leg.swings, leg.noise))
            level += move
        self._after = level - self._seeded_level(self._script_end)

    def _seeded_level(self, minute: int) -> float:
        return float(self._minutes(self._seeded_segment(minute // BLOCK_MINUTES), minute, minute + 1).starts[0])

    def _minutes(self, segment: _Segment, start: int, end: int) -> PlannedMinutes:
        """Compute the minutes of a segment from `start` to `end`."""
        minutes = segment.end - segment.start
        since = np.arange(start - segment.start, end - segment.start + 1)
        at = since / minutes
        swing = 0.5 * self._spec.sigma * math.sqrt(minutes)
        levels = segment.level + regime_shapes.path(segment.regime, at, segment.move, swing, segment.swings)
        jumped = regime_shapes.jump(segment.regime, since[:-1], minutes, segment.move)
        noise = self._spec.sigma * segment.noise * regime_shapes.noise(segment.regime, at[:-1])
        trades = regime_shapes.trades_expected(segment.regime, at[:-1], self._spec.trades_per_minute)
        return PlannedMinutes(levels[:-1] + jumped, levels[1:] + jumped, noise, trades)

    def _make_seeded_segment(self, index: int) -> _Segment:
        """Make the block's segment: its move is given by the block levels, its regime is drawn."""
        level = self._levels.level(index)
        move = self._levels.level(index + 1) - level
        draws = self._random.generator(self._spec.symbol, "regime", index).random(2)
        strength = move / (self._spec.sigma * math.sqrt(BLOCK_MINUTES))
        regime = _regime_for(strength, float(draws[0]))
        start = index * BLOCK_MINUTES
        return _Segment(regime, start, start + BLOCK_MINUTES, level, move, 2 + int(draws[1] * 3), 1.0)


def _regime_for(strength: float, draw: float) -> Regime:
    """Choose a regime that fits the size of the move."""
    if abs(strength) < _SMALL_MOVE:
        return Regime.QUIET if draw < _QUIET_CHANCE else Regime.RANGE
    if abs(strength) > _LARGE_MOVE and draw < _GAP_CHANCE:
        return Regime.GAP
    if strength < -_LARGE_MOVE and draw < _CRASH_CHANCE:
        return Regime.CRASH
    return Regime.TREND_UP if strength > 0 else Regime.TREND_DOWN


def _shifted(segment: _Segment, by: float) -> _Segment:
    return segment._replace(level=segment.level + by)
