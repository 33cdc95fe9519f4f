"""Makes signals from the outputs of the compiled step."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from strandline.engine.bars import GAPS, instant
from strandline.engine.records import Records
from strandline.engine.results import INDICATORS, NO_STATE, SCORES, TERMS, Outputs
from strandline.engine.series_state import NO_INSTANT
from strandline.engine.version import ENGINE_VERSION
from strandline.model.canonical import digest
from strandline.model.record import require
from strandline.model.signal import EngineState, Flag, Level, Signal
from strandline.model.timeframe import Timeframe

_STATES: Final = tuple(EngineState)
_EXIT_REASONS: Final = (None, "trend_failed", "trend_over")
_FLAGS: Final = tuple(Flag)
_VOLUME_TERMS: Final = ("edx_volume", "dx_volume")


class Series(NamedTuple):
    """The key of a series; history from before its first bar makes another generation."""

    instrument_id: int
    timeframe: Timeframe
    generation: int


def make_signals(
    outputs: Outputs, series: Sequence[Series], rows: Sequence[int] | None, strategy_hash: str
) -> list[Signal]:
    """The signals of these rows, in their order; without rows, of every row that has a state."""
    require(len(outputs.state_before) == len(outputs.bar_states), "the series were stepped without signals")
    chosen = _with_state(outputs) if rows is None else rows
    return [_signal(outputs, row, series[outputs.bar_states[row]["series"]], strategy_hash) for row in chosen]


def _with_state(outputs: Outputs) -> list[int]:
    return [int(row) for row in np.flatnonzero(outputs.bar_states["state"] != NO_STATE)]


def _signal(outputs: Outputs, row: int, series: Series, strategy_hash: str) -> Signal:
    bar_state = outputs.bar_states[row]
    gap = GAPS[outputs.bars.gap[row]]
    return Signal(
        instrument_id=series.instrument_id,
        timeframe=series.timeframe,
        bar_ts=instant(int(outputs.bars.ts[row])),
        bar_revision=int(outputs.bars.revision[row]),
        generation=series.generation,
        bar_count=int(bar_state["bar_count"]),
        gap_detected=gap is not None,
        gap_magnitude_pct=float(outputs.bars.gap_magnitude_pct[row]),
        gap_type=gap,
        state=_STATES[bar_state["state"]],
        state_since=instant(int(bar_state["state_since"])),
        flags=tuple(flag for place, flag in enumerate(_FLAGS) if bar_state["flags"] >> place & 1),
        exit_reason=_EXIT_REASONS[bar_state["exit"]],
        ended_by=_EXIT_REASONS[bar_state["ended_by"]],
        attempt_id=_instant_or_none(int(bar_state["attempt"])),
        trend_id=_instant_or_none(int(bar_state["trend"])),
        indicators=_named(INDICATORS, outputs.indicators[row]),
        scores=_named(SCORES, outputs.scores[row]),
        terms=_named(TERMS, outputs.terms[row]),
        unknown_terms=() if bar_state["volume_known"] else _VOLUME_TERMS,
        levels=tuple(_levels(outputs.levels[row][: bar_state["levels"]])),
        engine_version=ENGINE_VERSION,
        input_hash=_input_hash(outputs, row, strategy_hash),
    )


def _named(kind: np.dtype[np.void], record: np.void) -> Mapping[str, float]:
    return dict(zip(kind.names or (), record.item(), strict=True))


def _levels(found: Records) -> Iterator[Level]:
    for ts, price, touches, strength, _ in found.tolist():
        yield Level(level_id=instant(ts), price=price, touches=touches, strength=strength)


def _instant_or_none(ts: int) -> datetime | None:
    return None if ts == NO_INSTANT else instant(ts)


def _input_hash(outputs: Outputs, row: int, strategy_hash: str) -> str:
    """A digest of everything that the step read."""
    bar = b"".join(column[row].tobytes() for column in outputs.bars)
    return digest([outputs.state_before[row].tobytes(), bar, ENGINE_VERSION, strategy_hash])
