"""The demo's market: its scenario, the start of it, and the rows that trade it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from strandline.cli.up.state_file import read_or_make
from strandline.cycle.cycle_time import last_complete_cycle
from strandline.model.exact import Ratio
from strandline.model.position import PositionKey
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN

SCENARIO: Final = "demo"
SEED: Final = 1

VENUES: Final = (HYPERLIQUID_PERPS.token_chain, SOLANA_ONCHAIN.token_chain)
"""The venues on each of which the first cycle must trade."""

_PERPS: Final = ("BTC", "ETH", "SOL", "HYPE", "BNB", "XRP", "DOGE", "LINK", "kPEPE")
_TOKENS: Final = ("JUP", "BONK", "WIF")
_ALSO_ON_5M: Final = ("ETH", "SOL")


def scenario_start(file: Path) -> datetime:
    """Return the start of the scenario: the last complete cycle at the demo's first start, kept in this file."""
    stored = read_or_make(file, lambda: {"moment": last_complete_cycle(datetime.now(UTC)).isoformat()})
    return datetime.fromisoformat(stored["moment"])


def mints() -> dict[str, str]:
    """Return the addresses of the demo's tokens on the simulated chain, by symbol."""
    from strandline_sim.solana.tokens import DEFAULT_TOKENS

    return {token.symbol: str(token.mint) for token in DEFAULT_TOKENS if token.symbol in _TOKENS}


def rows(strategy: Strategy) -> Iterator[tuple[PositionKey, Ratio]]:
    """Yield the rows with the strategy's weights: a dozen symbols on 1m bars, some on 5m bars too."""
    tokens = mints()
    for venue, token_contract, symbol in (
        *((HYPERLIQUID_PERPS, symbol, symbol) for symbol in _PERPS),
        *((SOLANA_ONCHAIN, tokens[symbol], symbol) for symbol in _TOKENS),
    ):
        for timeframe in (Timeframe.M1, Timeframe.M5) if symbol in _ALSO_ON_5M else (Timeframe.M1,):
            key = PositionKey(venue=venue, token_contract=token_contract, timeframe=timeframe)
            yield key, Ratio.from_float(strategy.allocation.weights[timeframe])
