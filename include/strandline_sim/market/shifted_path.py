"""The same path at another time: a market that was made for one hour can be traded at any."""

from collections.abc import Iterator

from strandline_sim.market.minutes import Minutes
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.symbol_path import Path, SymbolPath
from strandline_sim.market.trades import Trades, at_minute


class ShiftedPath(Path):
    """What happens on the path at some minute happens here so many minutes later."""

    def __init__(self, path: SymbolPath, minutes: int) -> None:
        self.spec = path.spec
        self.grid = path.grid
        self._path = path
        self._minutes = minutes
        self._ms = minutes * MINUTE_MS

    def minutes(self, first: int, stop: int) -> Minutes:
        """What these minutes amount to."""
        return self._path.minutes(first - self._minutes, stop - self._minutes)

    def minutes_until(self, first: int, stop: int, until_ms: int) -> Minutes:
        """The same as known at `until_ms`."""
        return self._path.minutes_until(first - self._minutes, stop - self._minutes, until_ms - self._ms)

    def trades(self, from_ms: int, to_ms: int) -> Iterator[Trades]:
        """The trades in [from_ms, to_ms), in order."""
        for piece in self._path.trades(from_ms - self._ms, to_ms - self._ms):
            yield at_minute(piece, self._minutes)

    def last_price(self, at_ms: int) -> int:
        """The price of the newest trade that is not after `at_ms`."""
        return self._path.last_price(at_ms - self._ms)

    def fair_level(self, minute: int) -> float:
        """The logarithm of what the symbol is worth when this minute starts."""
        return self._path.fair_level(minute - self._minutes)
