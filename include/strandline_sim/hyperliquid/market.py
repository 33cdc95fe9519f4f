"""The market data that the venue needs, and its listings."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from strandline_sim.market.book import Book
from strandline_sim.market.candles import Candle
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.market.trades import Trade


class MarketData(Protocol):
    """Implemented by `strandline_sim.market.market.Market`; instants are milliseconds, ranges half-open."""

    @property
    def symbols(self) -> Mapping[str, SymbolSpec]:
        """The symbols."""

    def price(self, symbol: str, at_ms: int) -> Decimal:
        """Return the price of the newest trade."""

    def mid(self, symbol: str, at_ms: int) -> Decimal:
        """Return the price halfway between the best bid and the best ask."""

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        """Return the mark price, by which positions are valued."""

    def oracle(self, symbol: str, at_ms: int) -> Decimal:
        """Return the oracle price, on which funding is paid."""

    def premium(self, symbol: str, at_ms: int) -> Decimal:
        """Return how far the market is above the oracle price, as a fraction of it."""

    def book(self, symbol: str, at_ms: int) -> Book:
        """Return the book, with valid prices and sizes."""

    def depth(self, symbol: str, at_ms: int) -> Book:
        """Return the levels behind the book."""

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        """Return the positions of the market."""

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[Trade]:
        """Return the trades in the range, in order."""

    def candles(
        self, symbol: str, interval_ms: int, from_ms: int, to_ms: int, until_ms: int | None = None
    ) -> Sequence[Candle]:
        """Return the candles that start in the range; trades from `until_ms` on are left out."""

    def funding_rate(self, symbol: str, hour_ms: int) -> Decimal:
        """Return the funding rate of the hour that ends at `hour_ms`; longs pay when it is positive."""


class Listing(NamedTuple):
    """A listed perpetual; its asset id is its position in the list."""

    name: str
    sz_decimals: int
    max_leverage: int


_MAX_LEVERAGES = {"BTC": 40, "ETH": 25, "SOL": 20}
_DEFAULT_MAX_LEVERAGE = 10


def perpetuals(market: MarketData) -> list[Listing]:
    """List the symbols that have a perpetual's price grid, with maximum leverages."""
    return [
        Listing(name, spec.size_decimals, _MAX_LEVERAGES.get(name, _DEFAULT_MAX_LEVERAGE))
        for name, spec in market.symbols.items()
        if spec.price_decimals == 6 - spec.size_decimals and spec.significant_figures == 5
    ]
