"""Bazaar's prices: those of a simulated market, where a client would ask the venue's API."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from strandline_sim.prepared_markets import prepared_market
from strandline_sim.world import market_of

SCENARIO_START: Final = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
TOKENS: Final = ("JUP", "BONK")

_prepared = prepared_market("demo", int(SCENARIO_START.timestamp() * 1000))
MARKET: Final = market_of(1, _prepared.perps, _prepared.scenario, _prepared.shifts)


def price(token: str, at: datetime) -> Decimal:
    """The last price of a token."""
    return Decimal(MARKET.price(token, int(at.timestamp() * 1000)))
