"""What each regime looks like: the way the price takes, how noisy it is, and how much is traded."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline_sim.market.price_grid import Floats, Ints
from strandline_sim.market.regime import Regime


class _Character(NamedTuple):
    """Relative to what is usual for the symbol; at most so many trades a minute, however busy the symbol is."""

    noise: float
    activity: float
    most_trades: float = float("inf")


_CHARACTERS: Final = {
    Regime.TREND_UP: _Character(0.7, 1.2),
    Regime.TREND_DOWN: _Character(0.8, 1.1),
    Regime.RANGE: _Character(0.5, 0.8),
    Regime.CRASH: _Character(1.0, 1.0),
    Regime.GAP: _Character(0.7, 0.9),
    Regime.QUIET: _Character(0.25, 0.04, most_trades=0.7),
}

# A crash creeps, falls too far, and comes back a part of the way; panic is the fall and the rebound.
_CRASH_AT: Final = (0.0, 0.30, 0.45, 0.60, 1.0)
_CRASH_PATH: Final = (0.0, 0.05, 1.25, 0.95, 1.0)
_PANIC: Final = (0.30, 0.60)
_PANIC_NOISE: Final = 2.5
_PANIC_ACTIVITY: Final = 5.0

# Each step of a trend rises past its end for most of its time, and comes back to it.
_RISING_SHARE: Final = 0.7
_OVERSHOOT: Final = 1.5

_GAP_AT: Final = 0.5
_MOST_SWING: Final = 0.03


def path(regime: Regime, at: Floats, move: float, swing: float, swings: int) -> Floats:
    """The way from 0 to `move`, without its jump, at these parts of the whole (0 to 1)."""
    if regime in (Regime.TREND_UP, Regime.TREND_DOWN):
        return move * _with_pullbacks(at, swings)
    if regime is Regime.RANGE:
        return move * at + min(swing, _MOST_SWING) * np.sin(2 * np.pi * swings * at)
    if regime is Regime.CRASH:
        return move * np.interp(at, _CRASH_AT, _CRASH_PATH)
    if regime is Regime.GAP:
        return np.zeros_like(at)
    return move * at


def jump(regime: Regime, minute: Ints, minutes: int, move: float) -> Floats:
    """What a gap has added to these minutes; it lies between the end of one and the start of the next."""
    if regime is Regime.GAP:
        return np.where(minute >= max(int(minutes * _GAP_AT), 1), move, 0.0)
    return np.zeros(len(minute))


def noise(regime: Regime, at: Floats) -> Floats:
    """How noisy the minutes that start here are."""
    usual = _CHARACTERS[regime].noise
    return np.where(_in_panic(regime, at), usual * _PANIC_NOISE, usual)


def trades_expected(regime: Regime, at: Floats, usual: float) -> Floats:
    """How many trades the minutes that start here have in the mean, before their moves are known."""
    character = _CHARACTERS[regime]
    expected = np.full(len(at), min(usual * character.activity, character.most_trades))
    return np.where(_in_panic(regime, at), expected * _PANIC_ACTIVITY, expected)


def _in_panic(regime: Regime, at: Floats) -> NDArray[np.bool_]:
    return (at >= _PANIC[0]) & (at < _PANIC[1]) & (regime is Regime.CRASH)


def _with_pullbacks(at: Floats, swings: int) -> Floats:
    whole = np.floor(at * swings)
    part = at * swings - whole
    rising = part / _RISING_SHARE * _OVERSHOOT
    falling = _OVERSHOOT - (part - _RISING_SHARE) / (1 - _RISING_SHARE) * (_OVERSHOOT - 1)
    return (whole + np.where(part < _RISING_SHARE, rising, falling)) / swings
