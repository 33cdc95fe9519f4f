"""The course of a symbol's price before noise: from a script where there is one, else from the seed."""

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

# What a seeded move means, in what is usual for the symbol over a block; and how often chance picks the rarer kind.
_SMALL_MOVE: Final = 0.5
_LARGE_MOVE: Final = 1.2
_QUIET_CHANCE: Final = 0.12
_GAP_CHANCE: Final = 0.15
_CRASH_CHANCE: Final = 0.5


class Stretch(NamedTuple):
    """Consecutive minutes of a course: log levels where each starts and ends, its noise, and its trades expected."""

    starts: Floats
    ends: Floats
    noise: Floats
    trades: Floats


class _Piece(NamedTuple):
    """A regime in its place, in minutes and log levels."""

    regime: Regime
    start: int
    end: int
    level: float
    move: float
    swings: int
    noise: float


class PricePlan:
    """One symbol's course."""

    def __init__(self, spec: SymbolSpec, random: SeededRandom, legs: Sequence[Leg] = ()) -> None:
        self._spec = spec
        self._random = random
        self._levels = BlockLevels(spec, random)
        self._seeded = lru_cache(maxsize=16)(self._make_seeded)
        level = math.log(float(spec.start_price))
        self._script: list[_Piece] = []
        self._script_start = self._script_end = _ORIGIN_BLOCK * BLOCK_MINUTES
        self._before = self._after = level - self._levels.level(_ORIGIN_BLOCK)
        if legs:
            self._follow(legs, level)

    def block(self, index: int) -> Stretch:
        """The minutes of one block: the script's, and the seed's on both sides of it."""
        seeded = self._seeded(index)
        first, stop = index * BLOCK_MINUTES, (index + 1) * BLOCK_MINUTES
        parts = [
            (_moved(seeded, self._before), first, min(stop, self._script_start)),
            *((piece, max(first, piece.start), min(stop, piece.end)) for piece in self._script),
            (_moved(seeded, self._after), max(first, self._script_end), stop),
        ]
        stretches = [self._stretch(piece, start, end) for piece, start, end in parts if start < end]
        return Stretch(*(np.concatenate(column) for column in zip(*stretches, strict=True)))

    def _follow(self, legs: Sequence[Leg], level: float) -> None:
        """Lay the legs end to end from the start price; the seed's course is moved to meet them on both sides."""
        for leg, following in pairwise(legs):
            require(leg.end_ms == following.start_ms, "each leg of a scenario must start where the one before it ends")
        self._script_start, self._script_end = legs[0].start_ms // MINUTE_MS, legs[-1].end_ms // MINUTE_MS
        self._before = level - self._seeded_level(self._script_start)
        for leg in legs:
            move = math.log1p(leg.drift)
            start, end = leg.start_ms // MINUTE_MS, leg.end_ms // MINUTE_MS
            self._script.append(_Piece(leg.regime, start, end, level, move, leg.swings, leg.noise))
            level += move
        self._after = level - self._seeded_level(self._script_end)

    def _seeded_level(self, minute: int) -> float:
        return float(self._stretch(self._seeded(minute // BLOCK_MINUTES), minute, minute + 1).starts[0])

    def _stretch(self, piece: _Piece, start: int, end: int) -> Stretch:
        """Some minutes of a piece."""
        minutes = piece.end - piece.start
        since = np.arange(start - piece.start, end - piece.start + 1)
        at = since / minutes
        swing = 0.5 * self._spec.sigma * math.sqrt(minutes)
        levels = piece.level + regime_shapes.path(piece.regime, at, piece.move, swing, piece.swings)
        jumped = regime_shapes.jump(piece.regime, since[:-1], minutes, piece.move)
        noise = self._spec.sigma * piece.noise * regime_shapes.noise(piece.regime, at[:-1])
        trades = regime_shapes.trades_expected(piece.regime, at[:-1], self._spec.trades_per_minute)
        return Stretch(levels[:-1] + jumped, levels[1:] + jumped, noise, trades)

    def _make_seeded(self, index: int) -> _Piece:
        """What the seed has for this block: the skeleton says how far it goes, chance in which way."""
        level = self._levels.level(index)
        move = self._levels.level(index + 1) - level
        chance = self._random.generator(self._spec.symbol, "regime", index).random(2)
        strength = move / (self._spec.sigma * math.sqrt(BLOCK_MINUTES))
        kind = _kind(strength, float(chance[0]))
        start = index * BLOCK_MINUTES
        return _Piece(kind, start, start + BLOCK_MINUTES, level, move, 2 + int(chance[1] * 3), 1.0)


def _kind(strength: float, chance: float) -> Regime:
    """The regime that explains a move."""
    if abs(strength) < _SMALL_MOVE:
        return Regime.QUIET if chance < _QUIET_CHANCE else Regime.RANGE
    if abs(strength) > _LARGE_MOVE and chance < _GAP_CHANCE:
        return Regime.GAP
    if strength < -_LARGE_MOVE and chance < _CRASH_CHANCE:
        return Regime.CRASH
    return Regime.TREND_UP if strength > 0 else Regime.TREND_DOWN


def _moved(piece: _Piece, by: float) -> _Piece:
    return piece._replace(level=piece.level + by)
