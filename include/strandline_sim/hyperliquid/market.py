"""What the venue needs of a market; `strandline_sim.market.Market` is one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from strandline_sim.market.book import Book
from strandline_sim.market.candles import Candle
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.market.trades import Trade


class MarketData(Protocol):
    """Always answers the same for the same question; instants are milliseconds, ranges half-open."""

    @property
    def symbols(self) -> Mapping[str, SymbolSpec]:
        """What is traded."""

    def price(self, symbol: str, at_ms: int) -> Decimal:
        """The price of the newest trade."""

    def mid(self, symbol: str, at_ms: int) -> Decimal:
        """Between the best bid and the best ask."""

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        """What positions are valued at; it lies between the best bid and the best ask."""

    def oracle(self, symbol: str, at_ms: int) -> Decimal:
        """What other markets say; funding is paid on it."""

    def premium(self, symbol: str, at_ms: int) -> Decimal:
        """How far the market lies above the oracle, as a part of the oracle's price."""

    def book(self, symbol: str, at_ms: int) -> Book:
        """What strangers offer, on prices and sizes that the venue takes."""

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[Trade]:
        """In order of time."""

    def candles(
        self, symbol: str, interval_ms: int, from_ms: int, to_ms: int, until_ms: int | None = None
    ) -> Sequence[Candle]:
        """Those that start in the range; with `until_ms` later trades have not happened yet."""

    def funding_rate(self, symbol: str, hour_ms: int) -> Decimal:
        """The rate for the hour that ends here; longs pay when it is positive."""


class Listing(NamedTuple):
    """One perpetual; its asset id is its place in the list."""

    name: str
    sz_decimals: int
    max_leverage: int


_MAX_LEVERAGES = {"BTC": 40, "ETH": 25, "SOL": 20}
_USUAL_MAX_LEVERAGE = 10


def perpetuals(market: MarketData) -> list[Listing]:
    """The market's symbols that lie on a perpetual's grid of prices, with leverages such as the venue gives."""
    return [
        Listing(name, spec.size_decimals, _MAX_LEVERAGES.get(name, _USUAL_MAX_LEVERAGE))
        for name, spec in market.symbols.items()
        if spec.price_decimals == 6 - spec.size_decimals and spec.significant_figures == 5
    ]
