"""Makes the totals of each minute before its trades, so that long candles need no trades."""

from typing import Final, NamedTuple

import numpy as np

from strandline_sim.market.block_levels import BLOCK_MINUTES
from strandline_sim.market.price_grid import Floats, Ints
from strandline_sim.market.price_plan import PlannedMinutes, PricePlan
from strandline_sim.market.seeded_random import SeededRandom, correlated
from strandline_sim.market.spec import SymbolSpec

MAX_TRADES_PER_MINUTE: Final = 2**24 - 1


class Minutes(NamedTuple):
    """Consecutive minutes: trades, prices and volume in whole units. Prices mean nothing where there are no trades."""

    trades: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def slice(self, start: int, stop: int) -> "Minutes":
        """Return the minutes from `start` up to `stop`."""
        return Minutes(*(column[start:stop] for column in self))


class Block(NamedTuple):
    """A block's minutes, and the log of the fair price at which each starts, with or without trades."""

    minutes: Minutes
    fair: Floats


def make_block(spec: SymbolSpec, random: SeededRandom, plan: PricePlan, index: int) -> Block:
    """Make one block, always as a whole, so that its numbers do not depend on which minutes are requested."""
    planned = plan.block(index)
    starts, ends = _with_noise(planned, correlated(random, spec, "noise", index, BLOCK_MINUTES))
    rng = random.generator(spec.symbol, "minutes", index)
    trades = _trades(spec, planned, ends - starts, rng)
    scale = 10.0**spec.price_decimals
    half_spread = spec.spread_bps / 20_000
    bounce = np.where(rng.random((2, BLOCK_MINUTES)) < 0.5, 1 - half_spread, 1 + half_spread)
    high, low = _extremes(starts, ends, planned.noise, rng.random((2, BLOCK_MINUTES)))
    nearest = spec.grid.nearest
    opens = nearest(np.exp(starts) * scale * bounce[0])
    closes = np.where(trades == 1, opens, nearest(np.exp(ends) * scale * bounce[1]))
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    highs = np.maximum(top, nearest(np.exp(high) * scale * (1 + half_spread)))
    lows = np.minimum(bottom, nearest(np.exp(low) * scale * (1 - half_spread)))
    # Two trades are the first and the last; a third one can be the highest or the lowest, but not both.
    third_is_high = rng.random(BLOCK_MINUTES) < 0.5
    highs = np.where((trades < 3) | ((trades == 3) & ~third_is_high), top, highs)
    lows = np.where((trades < 3) | ((trades == 3) & third_is_high), bottom, lows)
    volume = _volume(spec, trades, np.exp(starts), rng)
    return Block(Minutes(trades, opens, highs, lows, closes, volume), starts)


def _with_noise(planned: PlannedMinutes, normals: Floats) -> tuple[Floats, Floats]:
    """Add a random walk that returns to zero at the block's end, so that blocks are independent."""
    walk = np.cumsum(normals * planned.noise)
    variance = np.cumsum(planned.noise**2)
    if variance[-1] > 0:
        walk -= walk[-1] * (variance / variance[-1])
    return planned.starts + np.concatenate((np.zeros(1), walk[:-1])), planned.ends + walk


def _trades(spec: SymbolSpec, planned: PlannedMinutes, moves: Floats, rng: np.random.Generator) -> Ints:
    """Draw the number of trades: more when the price moves more."""
    activity = np.minimum(0.4 + 0.6 * np.abs(moves) / (0.56 * spec.sigma), 6.0)
    fluctuation = np.exp(0.4 * rng.standard_normal(BLOCK_MINUTES) - 0.08)
    return np.minimum(rng.poisson(planned.trades * activity * fluctuation), MAX_TRADES_PER_MINUTE)


def _extremes(starts: Floats, ends: Floats, noise: Floats, draws: Floats) -> tuple[Floats, Floats]:
    """Draw the highest and lowest point of a Brownian bridge between two levels."""
    reach = np.sqrt((ends - starts) ** 2 - 2 * noise**2 * np.log(1 - draws))
    return (starts + ends + reach[0]) / 2, (starts + ends - reach[1]) / 2


def _volume(spec: SymbolSpec, trades: Ints, price: Floats, rng: np.random.Generator) -> Ints:
    """Draw the volume in lots, at least one for each trade."""
    lots = spec.trade_notional / price * 10.0**spec.size_decimals
    size = np.exp(0.5 * rng.standard_normal(BLOCK_MINUTES) - 0.125)
    return trades + np.floor(trades * np.maximum(lots - 1, 0) * size).astype(np.int64)
