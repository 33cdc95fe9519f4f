"""How far a series has come."""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from strandline.engine.bars import instant
from strandline.engine.results import NO_STATE, Outputs
from strandline.model.signal import EngineState

_STATES = tuple(EngineState)


class Progress(NamedTuple):
    """After the newest bar of a series; `ready` when it has the bars that flags need."""

    bar_ts: datetime
    bar_revision: int
    bar_count: int
    ready: bool
    state: EngineState | None


def progress(outputs: Outputs, bars_for_flags: int) -> list[Progress]:
    """Of each series that had bars, in order."""
    newest = np.flatnonzero(np.diff(outputs.heads["series"], append=-1))
    return [_progress(outputs, int(row), bars_for_flags) for row in newest]


def _progress(outputs: Outputs, row: int, bars_for_flags: int) -> Progress:
    head = outputs.heads[row]
    return Progress(
        bar_ts=instant(int(outputs.bars.ts[row])),
        bar_revision=int(outputs.bars.revision[row]),
        bar_count=int(head["bar_count"]),
        ready=bool(head["bar_count"] >= bars_for_flags),
        state=None if head["state"] == NO_STATE else _STATES[head["state"]],
    )
