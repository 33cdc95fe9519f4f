"""Signals out of what the compiled step wrote down."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from strandline.engine.bars import instant
from strandline.engine.memory import NONE
from strandline.engine.records import Records
from strandline.engine.results import INDICATORS, NO_STATE, SCORES, TERMS, Outputs
from strandline.engine.version import ENGINE_VERSION
from strandline.model.canonical import digest
from strandline.model.signal import EngineState, Flag, Level, Signal
from strandline.model.timeframe import Timeframe

_STATES: Final = tuple(EngineState)
_EXIT_REASONS: Final = (None, "trend_failed", "trend_over")
_FLAGS: Final = tuple(Flag)
_VOLUME_TERMS: Final = ("edx_volume", "dx_volume")


class Series(NamedTuple):
    """Whose bars they are; history before the anchor makes another generation."""

    instrument_id: int
    timeframe: Timeframe
    generation: int


def make_signals(
    outputs: Outputs, series: Sequence[Series], rows: Sequence[int] | None, strategy_hash: str
) -> list[Signal]:
    """One for each of these rows, in their order; for every row that has a state when none are named."""
    chosen = _with_state(outputs) if rows is None else rows
    return [_signal(outputs, row, series[outputs.heads[row]["series"]], strategy_hash) for row in chosen]


def _with_state(outputs: Outputs) -> list[int]:
    return [int(row) for row in np.flatnonzero(outputs.heads["state"] != NO_STATE)]


def _signal(outputs: Outputs, row: int, series: Series, strategy_hash: str) -> Signal:
    head = outputs.heads[row]
    return Signal(
        instrument_id=series.instrument_id,
        timeframe=series.timeframe,
        bar_ts=instant(int(outputs.bars.ts[row])),
        bar_revision=int(outputs.bars.revision[row]),
        generation=series.generation,
        bar_count=int(head["bar_count"]),
        state=_STATES[head["state"]],
        state_since=instant(int(head["state_since"])),
        flags=tuple(flag for place, flag in enumerate(_FLAGS) if head["flags"] >> place & 1),
        exit_reason=_EXIT_REASONS[head["exit"]],
        attempt_id=_instant_or_none(int(head["attempt"])),
        trend_id=_instant_or_none(int(head["trend"])),
        indicators=_named(INDICATORS, outputs.indicators[row]),
        scores=_named(SCORES, outputs.scores[row]),
        terms=_named(TERMS, outputs.terms[row]),
        unknown_terms=() if head["volume_known"] else _VOLUME_TERMS,
        levels=tuple(_levels(outputs.levels[row][: head["levels"]])),
        engine_version=ENGINE_VERSION,
        input_hash=_input_hash(outputs, row, strategy_hash),
    )


def _named(kind: np.dtype[np.void], record: np.void) -> Mapping[str, float]:
    return dict(zip(kind.names or (), record.item(), strict=True))


def _levels(found: Records) -> Iterator[Level]:
    for ts, price, touches, strength, _ in found.tolist():
        yield Level(level_id=instant(ts), price=price, touches=touches, strength=strength)


def _instant_or_none(ts: int) -> datetime | None:
    return None if ts == NONE else instant(ts)


def _input_hash(outputs: Outputs, row: int, strategy_hash: str) -> str:
    """Over all that the step read."""
    bar = b"".join(column[row].tobytes() for column in outputs.bars)
    return digest([outputs.before[row].tobytes(), bar, ENGINE_VERSION, strategy_hash])
