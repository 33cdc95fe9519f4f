"""Market regimes, and the legs of a scripted price path."""

from enum import StrEnum
from typing import Final

from strandline.model.record import Record, require

MINUTE_MS: Final = 60_000


class Regime(StrEnum):
    """How the market behaves over a period."""

    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"
    CRASH = "crash"
    GAP = "gap"
    QUIET = "quiet"


class Leg(Record, frozen=True, kw_only=True):
    """One leg of a scripted path, over [start_ms, end_ms).

    `drift` is the total change, 0.25 for +25 %. `swings` is the number of a trend's pullbacks or a range's waves.
    `noise` multiplies the regime's own noise.
    """

    regime: Regime
    start_ms: int
    end_ms: int
    drift: float = 0.0
    swings: int = 4
    noise: float = 1.0

    def check(self) -> None:
        require(self.start_ms % MINUTE_MS == 0 and self.end_ms % MINUTE_MS == 0, "a leg starts and ends with a minute")
        require(0 <= self.start_ms < self.end_ms, "a leg ends after it starts")
        require(self.drift > -1, "a leg cannot lose more than everything")
        require(self.swings >= 1 and self.noise >= 0, "swings count from one, noise from zero")
