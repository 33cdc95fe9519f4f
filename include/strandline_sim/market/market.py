"""The market: prices, trades, candles and books of several symbols at any instant."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from strandline.model.record import require
from strandline.model.side import Side
from strandline_sim.market.book import Book, best_prices, make_book, make_depth
from strandline_sim.market.candles import Candle, aggregate
from strandline_sim.market.open_interest import open_interest
from strandline_sim.market.regime import MINUTE_MS, Leg
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.shifted_path import ShiftedPath
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.market.symbol_path import Path, SymbolPath
from strandline_sim.market.trades import Trade
from strandline_sim.market.valuation import hourly_rate, mark_price, oracle_price, premium

Scenario = Mapping[str, Sequence[Leg]]

_MINUTES_PER_BATCH: Final = 2**17
_CACHED_BLOCKS: Final = 512


class Market:
    """Several symbols; every result depends on seed, spec, scenario and time only, not on earlier calls."""

    def __init__(
        self,
        seed: int,
        symbols: Sequence[SymbolSpec],
        scenario: Scenario | None = None,
        *,
        shifts: Mapping[str, int] | None = None,
    ) -> None:
        """`shifts` delays symbols by minutes: their scenario and their random draws alike."""
        scripts = dict(scenario or {})
        names = [spec.symbol for spec in symbols]
        require(len(set(names)) == len(names), "a symbol is named twice")
        require(set(scripts) <= set(names), "the scenario names a symbol that is not in the market")
        self.symbols: dict[str, SymbolSpec] = {spec.symbol: spec for spec in symbols}
        self._random = SeededRandom(seed)
        blocks = max(_CACHED_BLOCKS // max(len(names), 1), 2)
        self._paths: dict[str, Path] = {}
        for spec in symbols:
            path = SymbolPath(spec, self._random, scripts.get(spec.symbol, ()), blocks)
            shift = (shifts or {}).get(spec.symbol, 0)
            self._paths[spec.symbol] = ShiftedPath(path, shift) if shift else path

    def price(self, symbol: str, at_ms: int) -> Decimal:
        """Return the price of the newest trade at this instant."""
        path = self._paths[symbol]
        return path.grid.price(path.last_price(at_ms))

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> list[Trade]:
        """Return the trades in [from_ms, to_ms), in order."""
        path = self._paths[symbol]
        price_exponent, size_exponent = -path.spec.price_decimals, -path.spec.size_decimals
        return [
            Trade(
                time,
                Decimal(price).scaleb(price_exponent),
                Decimal(size).scaleb(size_exponent),
                Side.BUY if bought else Side.SELL,
                number,
            )
            for chunk in path.trades(from_ms, to_ms)
            for time, price, size, bought, number in zip(*(column.tolist() for column in chunk), strict=True)
        ]

    def candles(
        self, symbol: str, interval_ms: int, from_ms: int, to_ms: int, until_ms: int | None = None
    ) -> list[Candle]:
        """Return the candles that start in [from_ms, to_ms), in order; trades from `until_ms` on are left out."""
        require(interval_ms > 0 and interval_ms % MINUTE_MS == 0, "an interval is a number of whole minutes")
        first, stop = -(-from_ms // interval_ms), -(-to_ms // interval_ms)
        if until_ms is not None:
            stop = min(stop, -(-until_ms // interval_ms))
        width = interval_ms // MINUTE_MS
        batch_size = max(_MINUTES_PER_BATCH // width, 1)
        path = self._paths[symbol]
        return [
            candle
            for batch in range(first, stop, batch_size)
            for candle in _candles(path, width, batch, min(batch + batch_size, stop), until_ms)
        ]

    def mid(self, symbol: str, at_ms: int) -> Decimal:
        """Return the price halfway between the best bid and the best ask."""
        path = self._paths[symbol]
        bid, ask = best_prices(path, at_ms)
        return (path.grid.price(bid) + path.grid.price(ask)) / 2

    def book(self, symbol: str, at_ms: int, levels: int = 20) -> Book:
        """Return the book, best prices first; sizes change twice a second."""
        return make_book(self._paths[symbol], self._random, at_ms, levels)

    def depth(self, symbol: str, at_ms: int, levels: int = 20) -> Book:
        """Return the levels behind the book, ever farther apart."""
        return make_depth(self._paths[symbol], self._random, at_ms, self.book(symbol, at_ms, levels))

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        """Return the positions of the market, which vary slowly."""
        return open_interest(self.symbols[symbol], self._random, at_ms)

    def premium(self, symbol: str, at_ms: int) -> Decimal:
        """Return how far the market is above the oracle price, as a fraction of it."""
        return premium(self._paths[symbol], at_ms)

    def oracle(self, symbol: str, at_ms: int) -> Decimal:
        """Return the oracle price: the price at other markets."""
        return oracle_price(self._paths[symbol], at_ms)

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        """Return the mark price, by which positions are valued."""
        return mark_price(self._paths[symbol], at_ms)

    def funding_rate(self, symbol: str, hour_ms: int) -> Decimal:
        """Return the funding rate of the hour that ends at `hour_ms`; longs pay when it is positive."""
        return hourly_rate(self._paths[symbol], hour_ms)


def _candles(path: Path, width: int, first: int, stop: int, until_ms: int | None) -> Iterator[Candle]:
    """Yield candles of `width` minutes, numbered since the epoch."""
    if until_ms is None:
        minutes = path.minutes(first * width, stop * width)
    else:
        minutes = path.minutes_until(first * width, stop * width, until_ms)
    columns = aggregate(minutes, width)
    interval, price, size = width * MINUTE_MS, -path.spec.price_decimals, -path.spec.size_decimals
    for number, *prices, volume, trades in zip(*(column.tolist() for column in columns), strict=True):
        open_, high, low, close = (Decimal(value).scaleb(price) for value in prices)
        yield Candle(
            (first + number) * interval, interval, open_, high, low, close, Decimal(volume).scaleb(size), trades
        )
