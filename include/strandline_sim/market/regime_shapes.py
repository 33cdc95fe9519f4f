"""The shape of each regime: its price path, its noise and its trading activity."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline_sim.market.price_grid import Floats, Ints
from strandline_sim.market.regime import Regime


class _Profile(NamedTuple):
    """Noise and activity as multiples of the symbol's own; `max_trades` bounds the trades a minute."""

    noise: float
    activity: float
    max_trades: float = float("inf")


_PROFILES: Final = {
    Regime.TREND_UP: _Profile(0.7, 1.2),
    Regime.TREND_DOWN: _Profile(0.8, 1.1),
    Regime.RANGE: _Profile(0.5, 0.8),
    Regime.CRASH: _Profile(1.0, 1.0),
    Regime.GAP: _Profile(0.7, 0.9),
    Regime.QUIET: _Profile(0.25, 0.04, max_trades=0.7),
}

# A crash starts slowly, falls too far and rebounds in part; panic lasts from the fall to the rebound.
_CRASH_AT: Final = (0.0, 0.30, 0.45, 0.60, 1.0)
_CRASH_PATH: Final = (0.0, 0.05, 1.25, 0.95, 1.0)
_PANIC: Final = (0.30, 0.60)
_PANIC_NOISE: Final = 2.5
_PANIC_ACTIVITY: Final = 5.0

# Each swing of a trend overshoots its end for most of its time, and pulls back to it.
_RISING_SHARE: Final = 0.7
_OVERSHOOT: Final = 1.5

_GAP_AT: Final = 0.5
_MAX_SWING: Final = 0.03


def path(regime: Regime, at: Floats, move: float, swing: float, swings: int) -> Floats:
    """Return the path from 0 to `move`, without jumps, at these fractions of the time (0 to 1)."""
    if regime in (Regime.TREND_UP, Regime.TREND_DOWN):
        return move * _with_pullbacks(at, swings)
    if regime is Regime.RANGE:
        return move * at + min(swing, _MAX_SWING) * np.sin(2 * np.pi * swings * at)
    if regime is Regime.CRASH:
        return move * np.interp(at, _CRASH_AT, _CRASH_PATH)
    if regime is Regime.GAP:
        return np.zeros_like(at)
    return move * at


def jump(regime: Regime, minute: Ints, minutes: int, move: float) -> Floats:
    """Return what a gap adds to these minutes; the jump is between the end of one and the start of the next."""
    if regime is Regime.GAP:
        return np.where(minute >= max(int(minutes * _GAP_AT), 1), move, 0.0)
    return np.zeros(len(minute))


def noise(regime: Regime, at: Floats) -> Floats:
    """Return the noise of the minutes that start at these fractions."""
    usual = _PROFILES[regime].noise
    return np.where(_in_panic(regime, at), usual * _PANIC_NOISE, usual)


def trades_expected(regime: Regime, at: Floats, usual: float) -> Floats:
    """Return the mean number of trades of the minutes that start at these fractions, before moves are known."""
    profile = _PROFILES[regime]
    expected = np.full(len(at), min(usual * profile.activity, profile.max_trades))
    return np.where(_in_panic(regime, at), expected * _PANIC_ACTIVITY, expected)


def _in_panic(regime: Regime, at: Floats) -> NDArray[np.bool_]:
    return (at >= _PANIC[0]) & (at < _PANIC[1]) & (regime is Regime.CRASH)


def _with_pullbacks(at: Floats, swings: int) -> Floats:
    whole = np.floor(at * swings)
    part = at * swings - whole
    rising = part / _RISING_SHARE * _OVERSHOOT
    falling = _OVERSHOOT - (part - _RISING_SHARE) / (1 - _RISING_SHARE) * (_OVERSHOOT - 1)
    return (whole + np.where(part < _RISING_SHARE, rising, falling)) / swings
