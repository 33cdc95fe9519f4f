"""The market: what venues and tests ask."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from strandline.model.record import require
from strandline.model.side import Side
from strandline_sim.market.book import Book, best, make_book
from strandline_sim.market.candles import Candle, aggregate
from strandline_sim.market.regime import MINUTE_MS, Leg
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.shifted_path import ShiftedPath
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.market.symbol_path import Path, SymbolPath
from strandline_sim.market.trades import Trade
from strandline_sim.market.valuation import hourly_rate, mark_price, oracle_price, premium

Scenario = Mapping[str, Sequence[Leg]]

_MINUTES_AT_ONCE: Final = 2**17
_BLOCKS_KEPT: Final = 512


class Market:
    """Several symbols; every answer is a function of seed, spec, script and time, whatever was asked before."""

    def __init__(
        self,
        seed: int,
        symbols: Sequence[SymbolSpec],
        scenario: Scenario | None = None,
        *,
        shifts: Mapping[str, int] | None = None,
    ) -> None:
        """A symbol with a shift does all that it does, by script and by chance, so many minutes later."""
        scripts = dict(scenario or {})
        names = [spec.symbol for spec in symbols]
        require(len(set(names)) == len(names), "a symbol is named twice")
        require(set(scripts) <= set(names), "the scenario names a symbol that is not in the market")
        self.symbols: dict[str, SymbolSpec] = {spec.symbol: spec for spec in symbols}
        self._random = SeededRandom(seed)
        blocks = max(_BLOCKS_KEPT // max(len(names), 1), 2)
        self._paths: dict[str, Path] = {}
        for spec in symbols:
            path = SymbolPath(spec, self._random, scripts.get(spec.symbol, ()), blocks)
            shift = (shifts or {}).get(spec.symbol, 0)
            self._paths[spec.symbol] = ShiftedPath(path, shift) if shift else path

    def price(self, symbol: str, at_ms: int) -> Decimal:
        """The price of the newest trade at this instant."""
        path = self._paths[symbol]
        return path.grid.price(path.last_price(at_ms))

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> list[Trade]:
        """The trades in [from_ms, to_ms), in order."""
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
            for piece in path.trades(from_ms, to_ms)
            for time, price, size, bought, number in zip(*(column.tolist() for column in piece), strict=True)
        ]

    def candles(
        self, symbol: str, interval_ms: int, from_ms: int, to_ms: int, until_ms: int | None = None
    ) -> list[Candle]:
        """The candles that start in [from_ms, to_ms), in order. With `until_ms` later trades have not happened yet."""
        require(interval_ms > 0 and interval_ms % MINUTE_MS == 0, "an interval is a number of whole minutes")
        first, stop = -(-from_ms // interval_ms), -(-to_ms // interval_ms)
        if until_ms is not None:
            stop = min(stop, -(-until_ms // interval_ms))
        width = interval_ms // MINUTE_MS
        at_once = max(_MINUTES_AT_ONCE // width, 1)
        path = self._paths[symbol]
        return [
            candle
            for batch in range(first, stop, at_once)
            for candle in _candles(path, width, batch, min(batch + at_once, stop), until_ms)
        ]

    def mid(self, symbol: str, at_ms: int) -> Decimal:
        """Halfway between the best bid and the best ask."""
        path = self._paths[symbol]
        bid, ask = best(path, at_ms)
        return (path.grid.price(bid) + path.grid.price(ask)) / 2

    def book(self, symbol: str, at_ms: int, levels: int = 20) -> Book:
        """What rests in the book, best prices first; sizes change twice a second."""
        return make_book(self._paths[symbol], self._random, at_ms, levels)

    def premium(self, symbol: str, at_ms: int) -> Decimal:
        """How far the market lies above the oracle, as a part of the oracle's price."""
        return premium(self._paths[symbol], at_ms)

    def oracle(self, symbol: str, at_ms: int) -> Decimal:
        """What the symbol costs elsewhere."""
        return oracle_price(self._paths[symbol], at_ms)

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        """The price that positions are valued at."""
        return mark_price(self._paths[symbol], at_ms)

    def funding_rate(self, symbol: str, hour_ms: int) -> Decimal:
        """The rate for the hour that ends here; longs pay when it is positive."""
        return hourly_rate(self._paths[symbol], hour_ms)


def _candles(path: Path, width: int, first: int, stop: int, until_ms: int | None) -> Iterator[Candle]:
    """Candles of `width` minutes, by their number since the epoch."""
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
