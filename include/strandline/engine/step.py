"""The step: the same compiled function for live, backfill and replay, for one bar or many, one series or many."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from strandline.engine.bars import Bars
from strandline.engine.checks import NO_FAULT, first_fault
from strandline.engine.compilation import compiled, entry_point, fingerprint
from strandline.engine.flags import first_dip_may_come, raise_flags
from strandline.engine.indicators import update_indicators
from strandline.engine.levels import boost, find_levels, update_pivots
from strandline.engine.records import Floats, Ints, Records
from strandline.engine.results import NO_STATE, TERMS, BarState, Indicators, Outputs, Scores, TermsWithViews
from strandline.engine.scores import score
from strandline.engine.series_state import SeriesStateWithViews
from strandline.engine.states import NO_EXIT, next_state
from strandline.model.strategy import Strategy

Advance: TypeAlias = Callable[[Records, Ints, Bars, Records, Floats, Ints, Outputs], tuple[int, int]]

_TERMS: Final = len(TERMS.names or ())


@compiled
def step(
    s: SeriesStateWithViews,
    bars: Bars,
    i: int,
    p: Strategy,
    fading: Floats,
    kept: bool,
    bar_state: BarState,
    now: Indicators,
    scores: Scores,
    terms: TermsWithViews,
    levels: Records,
    scratch: Ints,
) -> None:
    """Update the state of a series with bar `i`, and write the outputs of the bar.

    Of a bar that is not kept only what the state depends on is computed. Scores and levels belong to that while a
    first dip may be taken; otherwise what is left of earlier bars raises flags that nobody sees.
    """
    s.bars += 1
    s.ts = bars.ts[i]
    bar_state.bar_count = s.bars
    bar_state.volume_known = update_indicators(s, bars, i, p, now)
    update_pivots(s, s.ts, now.close, p)
    if s.bars < p.history.bars_for_state:
        bar_state.state = NO_STATE
        return
    came_from = s.state
    reason = next_state(s, p, now)
    found = 0
    if kept or first_dip_may_come(s, p):
        found = find_levels(s, now.atr, p, fading, levels)
        score(s, bar_state.volume_known != 0, p, now, terms, scores, scratch)
        scores.boost_ema60 = boost(levels, found, now.ema60, now.atr, p)
        scores.boost_ema333 = boost(levels, found, now.ema333, now.atr, p)
    bar_state.flags = raise_flags(s, came_from, reason, p, now, scores, levels, found)
    bar_state.exit = reason if bar_state.flags else NO_EXIT
    bar_state.levels = found
    bar_state.state = s.state
    bar_state.state_since = s.state_since
    bar_state.attempt = s.attempt
    bar_state.trend = s.trend
    bar_state.ended_by = s.ended_by


def _compile_entry_point(functions: str) -> Advance:
    """`functions` is in the closure only because numba's cache then has it in its key."""

    @entry_point
    def advance(
        states: Records, ends: Ints, bars: Bars, strategy: Records, fading: Floats, keep: Ints, out: Outputs
    ) -> tuple[int, int]:
        functions  # noqa: B018
        fault, at = first_fault(states, ends, bars)
        if fault != NO_FAULT:
            return fault, at
        p = strategy[0]
        scratch = np.empty(_TERMS, np.int64)
        row, i = 0, 0
        for series in range(len(states)):
            while i < ends[series]:
                kept = ends[series] - i <= keep[series]
                if kept and len(out.state_before):
                    out.state_before[row] = states[series]
                # A row that is not kept is overwritten by the next bar's.
                out.bar_states[row].series = series
                step(
                    states[series],
                    bars,
                    i,
                    p,
                    fading,
                    kept,
                    out.bar_states[row],
                    out.indicators[row],
                    out.scores[row],
                    out.terms[row],
                    out.levels[row],
                    scratch,
                )
                i += 1
                row += kept
        return NO_FAULT, 0

    return advance


advance: Final = _compile_entry_point(fingerprint())
"""Steps each state, in place, through the bars of its series, which end at `ends`; keeps the outputs of its newest
`keep` bars. Returns the first fault of the bars and its row: then nothing has moved."""
