"""The specification of one symbol of the simulated market."""

from typing import Final

from strandline.model.exact import Price
from strandline.model.record import Record, require
from strandline_sim.market.price_grid import PriceGrid, scaled

_MINUTES_PER_YEAR: Final = 365 * 24 * 60


class SymbolSpec(Record, frozen=True, kw_only=True):
    """The parameters of a symbol.

    It has its start price on the first day of 2026, or where its script begins. `liquidity` is the dollars in the book
    within 1 % of the mid on each side; `volatility` is yearly. The symbol's draws are correlated with those of its
    `leader`, which need not be in the market.
    """

    symbol: str
    start_price: Price
    price_decimals: int
    size_decimals: int
    significant_figures: int | None = None
    trades_per_minute: float = 12.0
    trade_notional: float = 500.0
    volatility: float = 0.7
    liquidity: float = 1_000_000.0
    spread_bps: float = 2.0
    leader: str | None = None
    correlation: float = 0.0

    def check(self) -> None:
        require(0 <= self.price_decimals <= 12 and 0 <= self.size_decimals <= 9, "decimals are out of range")
        units = scaled(self.start_price.decimal, self.price_decimals)
        require(100 <= units <= 10**13, "start_price must be 100 to 10^13 units of its last decimal")
        require(0 < self.trades_per_minute <= 1_000_000, "trades_per_minute must lie in (0, 1000000]")
        require(self.trade_notional > 0 and self.liquidity > 0, "trade_notional and liquidity must be above zero")
        lots = self.trade_notional / float(self.start_price) * 10**self.size_decimals
        require(lots * self.trades_per_minute <= 1e13, "more lots a minute than can be counted: fewer size_decimals")
        require(0 < self.volatility <= 5, "volatility must lie in (0, 5]")
        require(0 <= self.spread_bps <= 1000, "spread_bps must lie in [0, 1000]")
        require(0 <= self.correlation <= 1, "correlation must lie in [0, 1]")
        require(self.leader is not None or self.correlation == 0, "correlation needs a leader")

    @property
    def grid(self) -> PriceGrid:
        """The grid of its prices."""
        return PriceGrid(self.price_decimals, self.significant_figures)

    @property
    def sigma(self) -> float:
        """The volatility per square root of a minute."""
        return float(self.volatility / _MINUTES_PER_YEAR**0.5)


def perp(symbol: str, start_price: str, size_decimals: int, **more: float | str | None) -> SymbolSpec:
    """Make a Hyperliquid perp: prices have five significant figures, and 6 − size_decimals decimals."""
    return SymbolSpec(
        symbol=symbol,
        start_price=Price(start_price),
        price_decimals=6 - size_decimals,
        size_decimals=size_decimals,
        significant_figures=5,
        **more,  # type: ignore[arg-type]
    )
