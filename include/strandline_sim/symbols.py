"""The default symbols: perps and tokens with plausible prices, at which their paths begin."""

from typing import Final

from strandline.model.exact import Price
from strandline_sim.market.spec import SymbolSpec, perp


def _follower(symbol: str, price: str, size_decimals: int, correlation: float, **more: float) -> SymbolSpec:
    return perp(symbol, price, size_decimals, leader="BTC", correlation=correlation, **more)


def _token(symbol: str, price: str, decimals: int, correlation: float, **more: float) -> SymbolSpec:
    """Make a token that trades on chain only, without a perp of that name."""
    return SymbolSpec(
        symbol=symbol,
        start_price=Price(price),
        price_decimals=decimals,
        size_decimals=2,
        leader="BTC",
        correlation=correlation,
        **more,  # type: ignore[arg-type]
    )


PERPS: Final = (
    perp("BTC", "83000", 5, trades_per_minute=60.0, trade_notional=2500.0, liquidity=40_000_000.0, spread_bps=0.3),
    _follower("ETH", "2900", 4, 0.8, trades_per_minute=40.0, liquidity=20_000_000.0, spread_bps=0.5),
    _follower("SOL", "140", 2, 0.75, volatility=0.9, trades_per_minute=30.0, liquidity=8_000_000.0, spread_bps=1.0),
    _follower("HYPE", "34", 2, 0.5, volatility=1.2, trades_per_minute=25.0, liquidity=5_000_000.0),
    _follower("BNB", "860", 3, 0.6, liquidity=4_000_000.0),
    _follower("XRP", "2.2", 0, 0.6, volatility=0.9, liquidity=4_000_000.0),
    _follower("DOGE", "0.16", 0, 0.7, volatility=1.0, liquidity=3_000_000.0),
    _follower("LINK", "13", 1, 0.7, volatility=0.9, liquidity=2_000_000.0),
    _follower("kPEPE", "0.0049", 0, 0.6, volatility=1.3, liquidity=2_000_000.0, spread_bps=4.0),
)
TOKENS: Final = (
    _token("JUP", "0.28", 6, 0.6, volatility=1.1),
    _token("BONK", "0.0000101", 10, 0.6, volatility=1.3),
    _token("WIF", "0.41", 6, 0.6, volatility=1.4),
)
"""The tokens of the Solana venue that have no perp; SOL follows the perp of that name."""


def made_up_perps(count: int) -> list[SymbolSpec]:
    """Make further perps with invented names (SIM001, SIM002, …) and different prices."""
    return [
        perp(f"SIM{number:03}", f"{1 + number * 7919 % 997}", 2, leader="BTC", correlation=0.5)
        for number in range(1, count + 1)
    ]
