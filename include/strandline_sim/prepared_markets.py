"""Scenarios by name: markets with scripted prices that start at a chosen time."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from strandline.model.record import require
from strandline_sim.demo_market import DEMO, START_MS, DemoPath, demo_legs
from strandline_sim.market.market import Scenario
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.symbols import PERPS

_MARKETS: Final[Mapping[str, Mapping[str, DemoPath]]] = {"demo": DEMO}


class PreparedMarket(NamedTuple):
    """A scenario: its perps, their price scripts, and the shift of each in minutes."""

    perps: Sequence[SymbolSpec]
    scenario: Scenario
    shifts: Mapping[str, int]


def prepared_market(name: str, start_ms: int) -> PreparedMarket:
    """Make the scenario of this name, shifted so that it starts at `start_ms`."""
    require(name in _MARKETS, f"there is no scenario {name!r}, only {', '.join(_MARKETS)}")
    require(start_ms % MINUTE_MS == 0, "a scenario starts with a whole minute")
    paths = _MARKETS[name]
    start = (start_ms - START_MS) // MINUTE_MS
    return PreparedMarket(
        perps=PERPS,
        scenario={symbol: demo_legs(symbol, path) for symbol, path in paths.items()},
        shifts={symbol: start + path.delay - path.minute for symbol, path in paths.items()},
    )
