"""The step: the same compiled function for live, backfill and replay, for one bar or many, one series or many."""

from collections.abc import Callable
from typing import Final, TypeAlias

from strandline.engine.bars import Bars
from strandline.engine.compilation import compiled, entry_point, fingerprint
from strandline.engine.flags import raise_flags
from strandline.engine.indicators import update_indicators
from strandline.engine.levels import boost, find_levels, update_pivots
from strandline.engine.records import Ints, Records
from strandline.engine.results import NO_STATE, BarState, Indicators, Outputs, Scores, Terms
from strandline.engine.scores import score
from strandline.engine.series_state import SeriesState
from strandline.engine.states import NO_EXIT, next_state
from strandline.model.strategy import Strategy

Advance: TypeAlias = Callable[[Records, Ints, Bars, Records, Ints, Outputs], None]


@compiled
def step(
    s: SeriesState,
    bars: Bars,
    i: int,
    p: Strategy,
    bar_state: BarState,
    now: Indicators,
    scores: Scores,
    terms: Terms,
    levels: Records,
) -> None:
    """Update the state of a series with bar `i`, and write the outputs of the bar."""
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
    found = find_levels(s, now.atr, p, levels)
    score(s, bar_state.volume_known != 0, p, now, terms, scores)
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
    def advance(states: Records, ends: Ints, bars: Bars, strategy: Records, keep: Ints, out: Outputs) -> None:
        functions  # noqa: B018
        p = strategy[0]
        row, i = 0, 0
        for series in range(len(states)):
            while i < ends[series]:
                # A row that is not kept is overwritten by the next bar's.
                out.state_before[row] = states[series]
                out.bar_states[row].series = series
                step(
                    states[series],
                    bars,
                    i,
                    p,
                    out.bar_states[row],
                    out.indicators[row],
                    out.scores[row],
                    out.terms[row],
                    out.levels[row],
                )
                i += 1
                if ends[series] - i < keep[series]:
                    row += 1

    return advance


advance: Final = _compile_entry_point(fingerprint())
"""Steps each state through the bars of its series, which end at `ends`; keeps the outputs of its newest `keep` bars."""
