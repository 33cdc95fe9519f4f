"""The price path of one symbol: makes its minutes and trades on demand, and caches the recent ones."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from strandline.model.record import require
from strandline_sim.market.block_levels import BLOCK_MINUTES
from strandline_sim.market.minutes import Block, Minutes, make_block
from strandline_sim.market.price_grid import PriceGrid
from strandline_sim.market.price_plan import PricePlan
from strandline_sim.market.regime import MINUTE_MS, Leg
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.market.trades import Trades, make_trades, totals

_LAST_MINUTE: Final = 2**26 - BLOCK_MINUTES
_TRADES_PER_CHUNK: Final = 2048
_MAX_CHUNK_MINUTES: Final = 256
_CACHED_CHUNKS: Final = 2
_MAX_BLOCKS_SEARCHED: Final = 64


class Path(ABC):
    """The price path of one symbol. All instants are in milliseconds, all prices and sizes in whole units."""

    spec: SymbolSpec
    grid: PriceGrid

    @abstractmethod
    def minutes(self, first: int, stop: int) -> Minutes:
        """Return the totals of these minutes."""

    @abstractmethod
    def minutes_until(self, first: int, stop: int, until_ms: int) -> Minutes:
        """Return the totals as known at `until_ms`: its minute has the trades before it only."""

    @abstractmethod
    def trades(self, from_ms: int, to_ms: int) -> Iterator[Trades]:
        """Yield the trades in [from_ms, to_ms), in order, in one or more chunks."""

    @abstractmethod
    def last_price(self, at_ms: int) -> int:
        """Return the price of the newest trade up to `at_ms`; the fair price if there was none for months."""

    @abstractmethod
    def fair_level(self, minute: int) -> float:
        """Return the log of the fair price at the start of the minute."""


class SymbolPath(Path):
    """The path made by script and seed."""

    def __init__(self, spec: SymbolSpec, random: SeededRandom, legs: Sequence[Leg] = (), blocks: int = 128) -> None:
        self.spec = spec
        self.grid = spec.grid
        self._random = random
        self._plan = PricePlan(spec, random, legs)
        self._block = lru_cache(maxsize=blocks)(self._make_block)
        self._chunk = lru_cache(maxsize=_CACHED_CHUNKS)(self._make_chunk)
        self._chunk_minutes = _MAX_CHUNK_MINUTES
        while self._chunk_minutes > 1 and self._chunk_minutes * spec.trades_per_minute > _TRADES_PER_CHUNK:
            self._chunk_minutes //= 2

    def minutes(self, first: int, stop: int) -> Minutes:
        """Return the totals of these minutes."""
        require(0 <= first <= stop <= _LAST_MINUTE, "the market exists from 1970 to 2097")
        parts = []
        for index in range(first // BLOCK_MINUTES, -(-max(stop, first + 1) // BLOCK_MINUTES)):
            start = index * BLOCK_MINUTES
            parts.append(self._block(index).minutes.slice(max(first - start, 0), stop - start))
        return Minutes(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def minutes_until(self, first: int, stop: int, until_ms: int) -> Minutes:
        """Return the totals as known at `until_ms`: its minute has the trades before it only."""
        current = until_ms // MINUTE_MS
        if stop <= current:
            return self.minutes(first, stop)
        parts = [self.minutes(first, current)]
        parts.extend(totals(chunk) for chunk in self.trades(current * MINUTE_MS, until_ms))
        return Minutes(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def trades(self, from_ms: int, to_ms: int) -> Iterator[Trades]:
        """Yield the trades in [from_ms, to_ms), in order, in one or more chunks."""
        require(0 <= from_ms <= to_ms <= _LAST_MINUTE * MINUTE_MS, "the market exists from 1970 to 2097")
        width = self._chunk_minutes * MINUTE_MS
        for chunk in range(from_ms // width, max(-(-to_ms // width), from_ms // width + 1)):
            yield self._chunk(chunk).between(from_ms, to_ms)

    def last_price(self, at_ms: int) -> int:
        """Return the price of the newest trade up to `at_ms`; the fair price if there was none for months."""
        minute = at_ms // MINUTE_MS
        width = self._chunk_minutes
        trades = self._chunk(minute // width)
        newest = int(np.searchsorted(trades.time, at_ms, side="right")) - 1
        if newest >= 0:
            return int(trades.price[newest])
        return self._close_before(minute // width * width)

    def fair_level(self, minute: int) -> float:
        """Return the log of the fair price at the start of the minute."""
        index, within = divmod(minute, BLOCK_MINUTES)
        return float(self._block(index).fair[within])

    def _close_before(self, minute: int) -> int:
        index, within = divmod(minute, BLOCK_MINUTES)
        for block in range(index, max(index - _MAX_BLOCKS_SEARCHED, -1), -1):
            minutes = self._block(block).minutes
            traded = np.flatnonzero(minutes.trades[:within])
            if len(traded):
                return int(minutes.close[traded[-1]])
            within = BLOCK_MINUTES
        return self._fair_price(minute)

    def _fair_price(self, minute: int) -> int:
        return self.grid.nearest_one(math.exp(self.fair_level(minute)) * 10.0**self.spec.price_decimals)

    def _make_block(self, index: int) -> Block:
        return make_block(self.spec, self._random, self._plan, index)

    def _make_chunk(self, index: int) -> Trades:
        first = index * self._chunk_minutes
        rng = self._random.generator(self.spec.symbol, "trades", first)
        return make_trades(self.minutes(first, first + self._chunk_minutes), first, self.grid, rng)
