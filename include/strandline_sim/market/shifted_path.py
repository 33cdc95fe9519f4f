"""Shifts a price path in time, so that a scenario can start at any minute."""

from collections.abc import Iterator

from strandline_sim.market.minutes import Minutes
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.symbol_path import Path, SymbolPath
from strandline_sim.market.trades import Trades, delayed


class ShiftedPath(Path):
    """The same path, this number of minutes later."""

    def __init__(self, path: SymbolPath, minutes: int) -> None:
        self.spec = path.spec
        self.grid = path.grid
        self._path = path
        self._minutes = minutes
        self._ms = minutes * MINUTE_MS

    def minutes(self, first: int, stop: int) -> Minutes:
        """Return the totals of these minutes."""
        return self._path.minutes(first - self._minutes, stop - self._minutes)

    def minutes_until(self, first: int, stop: int, until_ms: int) -> Minutes:
        """Return the totals as known at `until_ms`."""
        return self._path.minutes_until(first - self._minutes, stop - self._minutes, until_ms - self._ms)

    def trades(self, from_ms: int, to_ms: int) -> Iterator[Trades]:
        """Yield the trades in [from_ms, to_ms), in order."""
        for chunk in self._path.trades(from_ms - self._ms, to_ms - self._ms):
            yield delayed(chunk, self._minutes)

    def last_price(self, at_ms: int) -> int:
        """Return the price of the newest trade up to `at_ms`."""
        return self._path.last_price(at_ms - self._ms)

    def fair_level(self, minute: int) -> float:
        """Return the log of the fair price at the start of the minute."""
        return self._path.fair_level(minute - self._minutes)
