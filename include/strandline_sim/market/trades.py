"""Makes the trades of minutes, with exactly the totals of those minutes."""

from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline.model.side import Side
from strandline_sim.market.minutes import Minutes
from strandline_sim.market.price_grid import Ints, PriceGrid
from strandline_sim.market.regime import MINUTE_MS

# A trade's id is its minute since the epoch (26 bits) and its number within that minute (24 bits).
_NUMBER_BITS: Final = 24
_TAIL_EXPONENT: Final = 1.6
_MAX_WEIGHT: Final = 1_000.0
_JITTER: Final = 0.3


class Trade(NamedTuple):
    """One trade; `id` is unique per symbol and rises with time. `side` is the aggressor's."""

    time: int
    price: Decimal
    size: Decimal
    side: Side
    id: int


class Trades(NamedTuple):
    """Trades as columns, in order; prices and sizes in whole units of their last decimal."""

    time: Ints
    price: Ints
    size: Ints
    bought: NDArray[np.bool_]
    id: Ints

    def between(self, from_ms: int, to_ms: int) -> "Trades":
        """Return the trades in [from_ms, to_ms)."""
        part = slice(*np.searchsorted(self.time, (from_ms, to_ms)).tolist())
        return Trades(self.time[part], self.price[part], self.size[part], self.bought[part], self.id[part])


def make_trades(minutes: Minutes, first_minute: int, grid: PriceGrid, rng: np.random.Generator) -> Trades:
    """Make the trades of consecutive minutes."""
    count = minutes.trades
    minute = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(minute)) - np.repeat(np.cumsum(count) - count, count)
    start_ms = (first_minute + minute) * MINUTE_MS
    time = np.sort(start_ms + (rng.random(len(minute)) * MINUTE_MS).astype(np.int64))
    price, bought = _prices(minutes, minute, number, grid, rng)
    size = _sizes(minutes, minute, number, rng)
    return Trades(time, price, size, bought, ((first_minute + minute) << _NUMBER_BITS) + number)


def delayed(trades: Trades, minutes: int) -> Trades:
    """Move trades by this number of minutes."""
    return trades._replace(time=trades.time + minutes * MINUTE_MS, id=trades.id + (minutes << _NUMBER_BITS))


def totals(trades: Trades) -> Minutes:
    """Sum up the trades of one minute."""
    count, price = len(trades.time), trades.price
    if not count:
        return Minutes(*(np.zeros(1, dtype=np.int64) for _ in Minutes._fields))
    row = (count, price[0], price.max(), price.min(), price[-1], trades.size.sum())
    return Minutes(*(np.array([value], dtype=np.int64) for value in row))


def _prices(
    minutes: Minutes, minute: Ints, number: Ints, grid: PriceGrid, rng: np.random.Generator
) -> tuple[Ints, NDArray[np.bool_]]:
    """Make prices from the open over both extremes to the close, with jitter; and whether each trade was a buy."""
    at, level = _turning_points(minutes, rng)
    passed = (number >= at[1, minute]).astype(np.int64) + (number >= at[2, minute])
    left, right = at[passed, minute], at[passed + 1, minute]
    from_level, to_level = level[passed, minute], level[passed + 1, minute]
    way = from_level + (to_level - from_level) * ((number - left) / np.maximum(right - left, 1))
    high, low = minutes.high[minute], minutes.low[minute]
    draw = rng.random(len(minute))
    turning = (number == left) | (number == right)
    way += np.where(turning, 0.0, (draw - 0.5) * (high - low) * _JITTER)
    price = np.clip(grid.nearest(way), low, high)
    bought = np.where(high > low, np.where(price == high, True, (price != low) & (draw > 0.5)), draw > 0.5)
    return price, bought


def _turning_points(minutes: Minutes, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Choose, per minute, the numbers and prices of its first trade, its two extremes and its last trade."""
    count, open_, high, low, close = minutes.trades, minutes.open, minutes.high, minutes.low, minutes.close
    last = np.maximum(count - 1, 0)
    draws = rng.random((3, len(count)))
    one = 1 + (draws[0] * (count - 2)).astype(np.int64)
    other = 1 + (draws[1] * (count - 3)).astype(np.int64)
    other += other >= one
    high_first = draws[2] < 0.5
    many = count > 3
    three = count == 3
    third = np.where(high > np.maximum(open_, close), high, low)
    at = np.stack(
        (
            np.zeros_like(last),
            np.where(many, np.minimum(one, other), np.where(three, 1, last)),
            np.where(many, np.maximum(one, other), np.where(three, 1, last)),
            last,
        )
    )
    level = np.stack(
        (
            open_,
            np.where(many, np.where(high_first, high, low), np.where(three, third, close)),
            np.where(many, np.where(high_first, low, high), np.where(three, third, close)),
            close,
        )
    )
    return at, level


def _sizes(minutes: Minutes, minute: Ints, number: Ints, rng: np.random.Generator) -> Ints:
    """Split the minute's volume into sizes with a heavy tail, each at least one lot."""
    count = minutes.trades
    last = number == count[minute] - 1
    weight = np.minimum((1 - rng.random(len(minute))) ** (-1 / _TAIL_EXPONENT), _MAX_WEIGHT)
    total = np.cumsum(weight)
    before = np.concatenate((np.zeros(1), total[last]))[:-1]
    within = np.zeros(len(count), dtype=np.int64)
    within[count > 0] = np.arange(int(np.count_nonzero(count)))
    start = before[within[minute]]
    end = total[last][within[minute]]
    extra = (minutes.volume - count)[minute]
    upto = np.where(last, extra, np.minimum(np.floor((total - start) / (end - start) * extra).astype(np.int64), extra))
    already = np.where(number == 0, 0, np.roll(upto, 1))
    return 1 + upto - already
