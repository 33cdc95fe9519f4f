"""Summarizes a series after its newest bar."""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from strandline.engine.bars import instant
from strandline.engine.results import NO_STATE, Outputs
from strandline.model.signal import EngineState

_STATES = tuple(EngineState)


class SeriesSummary(NamedTuple):
    """The newest bar of a series and the state after it; `ready` when the series has enough bars for flags."""

    bar_ts: datetime
    bar_revision: int
    bar_count: int
    ready: bool
    state: EngineState | None


def summarize(outputs: Outputs, bars_for_flags: int) -> list[SeriesSummary]:
    """The summaries of all series that had bars, in order."""
    newest = np.flatnonzero(np.diff(outputs.bar_states["series"], append=-1))
    return [_summary(outputs, int(row), bars_for_flags) for row in newest]


def _summary(outputs: Outputs, row: int, bars_for_flags: int) -> SeriesSummary:
    bar_state = outputs.bar_states[row]
    return SeriesSummary(
        bar_ts=instant(int(outputs.bars.ts[row])),
        bar_revision=int(outputs.bars.revision[row]),
        bar_count=int(bar_state["bar_count"]),
        ready=bool(bar_state["bar_count"] >= bars_for_flags),
        state=None if bar_state["state"] == NO_STATE else _STATES[bar_state["state"]],
    )
