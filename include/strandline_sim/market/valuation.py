"""What a perp is held to be worth, and what holding it costs: oracle, mark, premium and funding.

The market runs ahead of the oracle: longs pay while the price has been rising, shorts while it has been falling.
"""

import math
from decimal import Decimal
from typing import Final

from strandline.model.record import require
from strandline_sim.market.book import best
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.symbol_path import Path

HOUR_MS: Final = 3_600_000

_LOOKS_BACK_MINUTES: Final = 240
_SHARE_OF_MOVE: Final = 0.02
_MOST_PREMIUM: Final = 0.003
_INTEREST: Final = 0.0001
_INTEREST_GIVES: Final = 0.0005
_HOURS_PER_PERIOD: Final = 8
_DECIMALS: Final = 10
_SAMPLES_PER_HOUR: Final = 12


def premium(path: Path, at_ms: int) -> Decimal:
    """How far the market lies above the oracle, as a part of the oracle's price."""
    return _rounded(_premium(path, at_ms // MINUTE_MS))


def oracle_price(path: Path, at_ms: int) -> Decimal:
    """The last price less the premium, on the grid."""
    return path.grid.price(path.grid.nearest_one(_oracle(path, at_ms)))


def mark_price(path: Path, at_ms: int) -> Decimal:
    """Halfway between the oracle and the middle of the book, on the grid."""
    middle = sum(best(path, at_ms)) / 2
    return path.grid.price(path.grid.nearest_one((_oracle(path, at_ms) + middle) / 2))


def hourly_rate(path: Path, hour_ms: int) -> Decimal:
    """Hyperliquid's rule: an eighth of the hour's mean premium, which the interest rate pulls towards 0.01 %."""
    require(hour_ms % HOUR_MS == 0 and hour_ms >= HOUR_MS, "funding is paid on the hour")
    every = HOUR_MS // MINUTE_MS // _SAMPLES_PER_HOUR
    minutes = range((hour_ms - HOUR_MS) // MINUTE_MS, hour_ms // MINUTE_MS, every)
    mean = math.fsum(_premium(path, minute) for minute in minutes) / len(minutes)
    interest = min(max(_INTEREST - mean, -_INTEREST_GIVES), _INTEREST_GIVES)
    return _rounded((mean + interest) / _HOURS_PER_PERIOD)


def _oracle(path: Path, at_ms: int) -> float:
    return path.last_price(at_ms) / (1 + _premium(path, at_ms // MINUTE_MS))


def _premium(path: Path, minute: int) -> float:
    moved = path.fair_level(minute) - path.fair_level(max(minute - _LOOKS_BACK_MINUTES, 0))
    return min(max(moved * _SHARE_OF_MOVE, -_MOST_PREMIUM), _MOST_PREMIUM)


def _rounded(rate: float) -> Decimal:
    return Decimal(f"{rate:.{_DECIMALS}f}") + 0  # a zero without a sign
