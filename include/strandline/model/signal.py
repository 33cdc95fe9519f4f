"""Signals: the engine's output for one final bar."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from strandline.model.bar import GapType
from strandline.model.record import Record, require
from strandline.model.timeframe import Timeframe


class EngineState(StrEnum):
    """The states of the uptrend engine."""

    S0 = "S0"
    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    S4 = "S4"


class Flag(StrEnum):
    """The flags that the engine can raise on a bar."""

    BUY_SIGNAL = "buy_signal"
    BUY_FLAG = "buy_flag"
    FIRST_DIP_BUY_FLAG = "first_dip_buy_flag"
    TRIM_FLAG = "trim_flag"
    EMERGENCY_EXIT = "emergency_exit"
    RECLAIMED_EMA333 = "reclaimed_ema333"
    EXIT_POSITION = "exit_position"


class Level(Record, frozen=True, kw_only=True):
    """A price at which the market has turned before, named by the bar of its earliest pivot."""

    level_id: datetime
    price: float
    touches: int
    strength: float


class Signal(Record, frozen=True, kw_only=True):
    """State, flags and scores of one bar and revision, with the terms from which each score can be recomputed by hand.

    The gap fields are the bar's; signals of engine 4.1 and older lack them. `state_since` is the bar that entered the
    state; attempt and trend are named by the bars that began them. In S0 `ended_by` says which end led there: of an
    attempt, of a trend, or None in a series that began in S0. `restep` is the number of the restep that made it, after
    a bar of the series was revised; 0 if it was made when its bar was new.
    """

    instrument_id: int
    timeframe: Timeframe
    bar_ts: datetime
    bar_revision: int
    generation: int
    restep: int = 0
    bar_count: int
    gap_detected: bool = False
    gap_magnitude_pct: float = 0.0
    gap_type: GapType | None = None
    state: EngineState
    state_since: datetime
    flags: tuple[Flag, ...]
    exit_reason: str | None
    ended_by: str | None = None
    attempt_id: datetime | None
    trend_id: datetime | None
    indicators: Mapping[str, float]
    scores: Mapping[str, float]
    terms: Mapping[str, float]
    unknown_terms: tuple[str, ...]
    levels: tuple[Level, ...]
    engine_version: str
    input_hash: str

    def check(self) -> None:
        require(len(set(self.flags)) == len(self.flags), "a flag is raised twice")
        require(self.gap_detected == (self.gap_type is not None), "a gap has a type, and only a gap has one")
        require(
            (Flag.EXIT_POSITION in self.flags) == (self.exit_reason is not None),
            "exit_position has a reason, and nothing else has one",
        )
        require(self.restep >= 0, "restep is not negative")

    @property
    def bar_end(self) -> datetime:
        """When its bar was over."""
        return self.bar_ts + self.timeframe.length
