"""What each minute amounts to: known before its trades are, so that long candles need no trades."""

from typing import Final, NamedTuple

import numpy as np

from strandline_sim.market.block_levels import BLOCK_MINUTES
from strandline_sim.market.price_grid import Floats, Ints
from strandline_sim.market.price_plan import PricePlan, Stretch
from strandline_sim.market.seeded_random import SeededRandom, correlated
from strandline_sim.market.spec import SymbolSpec

MOST_TRADES_PER_MINUTE: Final = 2**24 - 1


class Minutes(NamedTuple):
    """Consecutive minutes: trades, prices and volume in whole units. Prices mean nothing where there are no trades."""

    trades: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def slice(self, start: int, stop: int) -> "Minutes":
        """A part of them."""
        return Minutes(*(column[start:stop] for column in self))


class Block(NamedTuple):
    """A block's minutes, and the log level at which each starts, whether anybody trades or not."""

    minutes: Minutes
    fair: Floats


def make_block(spec: SymbolSpec, random: SeededRandom, plan: PricePlan, index: int) -> Block:
    """One block; always made as a whole, so that the same numbers come out whoever asks."""
    stretch = plan.block(index)
    starts, ends = _with_noise(stretch, correlated(random, spec, "noise", index, BLOCK_MINUTES))
    chance = random.generator(spec.symbol, "minutes", index)
    trades = _trades(spec, stretch, ends - starts, chance)
    scale = 10.0**spec.price_decimals
    half_spread = spec.spread_bps / 20_000
    bounce = np.where(chance.random((2, BLOCK_MINUTES)) < 0.5, 1 - half_spread, 1 + half_spread)
    high, low = _extremes(starts, ends, stretch.noise, chance.random((2, BLOCK_MINUTES)))
    nearest = spec.grid.nearest
    opens = nearest(np.exp(starts) * scale * bounce[0])
    closes = np.where(trades == 1, opens, nearest(np.exp(ends) * scale * bounce[1]))
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    highs = np.maximum(top, nearest(np.exp(high) * scale * (1 + half_spread)))
    lows = np.minimum(bottom, nearest(np.exp(low) * scale * (1 - half_spread)))
    # Two trades are the first and the last; a third one can be the highest or the lowest, but not both.
    third_is_high = chance.random(BLOCK_MINUTES) < 0.5
    highs = np.where((trades < 3) | ((trades == 3) & ~third_is_high), top, highs)
    lows = np.where((trades < 3) | ((trades == 3) & third_is_high), bottom, lows)
    volume = _volume(spec, trades, np.exp(starts), chance)
    return Block(Minutes(trades, opens, highs, lows, closes, volume), starts)


def _with_noise(stretch: Stretch, normals: Floats) -> tuple[Floats, Floats]:
    """Add a random walk that is back at zero when the block ends, so that blocks need not know each other."""
    walk = np.cumsum(normals * stretch.noise)
    variance = np.cumsum(stretch.noise**2)
    if variance[-1] > 0:
        walk -= walk[-1] * (variance / variance[-1])
    return stretch.starts + np.concatenate((np.zeros(1), walk[:-1])), stretch.ends + walk


def _trades(spec: SymbolSpec, stretch: Stretch, moves: Floats, chance: np.random.Generator) -> Ints:
    """How many there are: more when the price moves more."""
    excitement = np.minimum(0.4 + 0.6 * np.abs(moves) / (0.56 * spec.sigma), 6.0)
    mood = np.exp(0.4 * chance.standard_normal(BLOCK_MINUTES) - 0.08)
    return np.minimum(chance.poisson(stretch.trades * excitement * mood), MOST_TRADES_PER_MINUTE)


def _extremes(starts: Floats, ends: Floats, noise: Floats, chance: Floats) -> tuple[Floats, Floats]:
    """The highest and lowest point of a random walk between two levels, by the law of the Brownian bridge."""
    reach = np.sqrt((ends - starts) ** 2 - 2 * noise**2 * np.log(1 - chance))
    return (starts + ends + reach[0]) / 2, (starts + ends - reach[1]) / 2


def _volume(spec: SymbolSpec, trades: Ints, price: Floats, chance: np.random.Generator) -> Ints:
    """In lots, at least one for each trade."""
    lots = spec.trade_notional / price * 10.0**spec.size_decimals
    size = np.exp(0.5 * chance.standard_normal(BLOCK_MINUTES) - 0.125)
    return trades + np.floor(trades * np.maximum(lots - 1, 0) * size).astype(np.int64)
