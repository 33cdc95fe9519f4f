"""Computes oracle price, mark price, premium and funding rate of a perp.

The market leads the oracle: longs pay funding after the price has risen, shorts after it has fallen.
"""

import math
from decimal import Decimal
from typing import Final

from strandline.model.record import require
from strandline_sim.market.book import best_prices
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.symbol_path import Path

HOUR_MS: Final = 3_600_000

_PREMIUM_WINDOW_MINUTES: Final = 240
_PREMIUM_PER_MOVE: Final = 0.02
_MAX_PREMIUM: Final = 0.003
_INTEREST: Final = 0.0001
_MAX_INTEREST_ADJUSTMENT: Final = 0.0005
_HOURS_PER_PERIOD: Final = 8
_DECIMALS: Final = 10
_SAMPLES_PER_HOUR: Final = 12


def premium(path: Path, at_ms: int) -> Decimal:
    """Return how far the market is above the oracle price, as a fraction of it."""
    return _rounded(_premium(path, at_ms // MINUTE_MS))


def oracle_price(path: Path, at_ms: int) -> Decimal:
    """Return the last price less the premium, on the grid."""
    return path.grid.price(path.grid.nearest_one(_oracle(path, at_ms)))


def mark_price(path: Path, at_ms: int) -> Decimal:
    """Return the price halfway between the oracle and the mid of the book, on the grid."""
    mid = sum(best_prices(path, at_ms)) / 2
    return path.grid.price(path.grid.nearest_one((_oracle(path, at_ms) + mid) / 2))


def hourly_rate(path: Path, hour_ms: int) -> Decimal:
    """Apply Hyperliquid's rule: an eighth of the hour's mean premium, which the interest rate pulls towards 0.01 %."""
    require(hour_ms % HOUR_MS == 0 and hour_ms >= HOUR_MS, "funding is paid on the hour")
    every = HOUR_MS // MINUTE_MS // _SAMPLES_PER_HOUR
    minutes = range((hour_ms - HOUR_MS) // MINUTE_MS, hour_ms // MINUTE_MS, every)
    mean = math.fsum(_premium(path, minute) for minute in minutes) / len(minutes)
    interest = min(max(_INTEREST - mean, -_MAX_INTEREST_ADJUSTMENT), _MAX_INTEREST_ADJUSTMENT)
    return _rounded((mean + interest) / _HOURS_PER_PERIOD)


def _oracle(path: Path, at_ms: int) -> float:
    return path.last_price(at_ms) / (1 + _premium(path, at_ms // MINUTE_MS))


def _premium(path: Path, minute: int) -> float:
    moved = path.fair_level(minute) - path.fair_level(max(minute - _PREMIUM_WINDOW_MINUTES, 0))
    return min(max(moved * _PREMIUM_PER_MOVE, -_MAX_PREMIUM), _MAX_PREMIUM)


def _rounded(rate: float) -> Decimal:
    return Decimal(f"{rate:.{_DECIMALS}f}") + 0  # a zero without a sign
