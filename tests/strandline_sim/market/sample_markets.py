"""Sample symbols and markets, strategies for symbols and instants, and checks on what a market returns."""

from decimal import Decimal
from typing import Final

from hypothesis import strategies as st

from strandline.model.exact import Price
from strandline_sim.market.candles import Candle
from strandline_sim.market.market import Market
from strandline_sim.market.spec import SymbolSpec, perp

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
INTERVALS: Final = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY)
START: Final = 1_788_220_800_000
IN_2015: Final = 1_430_438_400_000
IN_2090: Final = 3_786_912_000_000

BTC: Final = perp("BTC", "83000", 5, trades_per_minute=120.0, trade_notional=3000.0, spread_bps=0.3)
SOL: Final = perp("SOL", "150", 2, trades_per_minute=30.0, leader="BTC", correlation=0.9)
SLEEPY: Final = perp("SLEEPY", "2.5", 0, trades_per_minute=0.4, volatility=1.5)
MEME: Final = SymbolSpec(
    symbol="MEME",
    start_price=Price("0.00001234"),
    price_decimals=12,
    size_decimals=2,
    trades_per_minute=4.0,
    volatility=3.0,
    spread_bps=30.0,
)
SPECS: Final = (BTC, SOL, SLEEPY, MEME)
MARKET: Final = Market(7, SPECS)

symbols = st.sampled_from([spec.symbol for spec in SPECS])
# Close to three dates, so that examples share cached blocks.
instants = st.builds(
    int.__add__, st.sampled_from((IN_2015, START, IN_2090)), st.integers(min_value=-40 * MINUTE, max_value=40 * MINUTE)
)


def fresh_market(seed: int = 7) -> Market:
    """The same market with empty caches."""
    return Market(seed, SPECS)


def candle_at(market: Market, symbol: str, interval: int, start: int, until: int | None = None) -> Candle | None:
    """The candle that starts at this instant, if there was a trade in it."""
    candles = market.candles(symbol, interval, start, start + 1, until)
    return candles[0] if candles else None


def is_on_grid(spec: SymbolSpec, price: Decimal) -> bool:
    """Whether the symbol can have this price."""
    units = int(price.scaleb(spec.price_decimals))
    return units > 0 and spec.grid.price(units) == price and spec.grid.down(units) == units
