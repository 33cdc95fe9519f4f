"""The step: one function for live, backfill and replay, for one bar of many series and for many bars of one."""

from collections.abc import Callable
from typing import Final, TypeAlias

from strandline.engine.bars import Bars
from strandline.engine.compiled import entry, fingerprint, part
from strandline.engine.flags import raise_flags
from strandline.engine.indicators import measure
from strandline.engine.levels import boost, find_levels, note_pivot
from strandline.engine.memory import Memory
from strandline.engine.records import Ints, Records
from strandline.engine.results import NO_STATE, Head, Indicators, Outputs, Scores, Terms
from strandline.engine.scores import score
from strandline.engine.states import NO_EXIT, move
from strandline.model.strategy import Strategy

Advance: TypeAlias = Callable[[Records, Ints, Bars, Records, int, Outputs], None]


@part
def step(
    m: Memory,
    bars: Bars,
    i: int,
    p: Strategy,
    head: Head,
    now: Indicators,
    scores: Scores,
    terms: Terms,
    levels: Records,
) -> None:
    """Take bar `i` into the memory, and say what it means."""
    m.bars += 1
    m.ts = bars.ts[i]
    head.bar_count = m.bars
    head.volume_known = measure(m, bars, i, p, now)
    note_pivot(m, m.ts, now.close, p)
    if m.bars < p.history.bars_for_state:
        head.state = NO_STATE
        return
    came_from = m.state
    reason = move(m, p, now)
    found = find_levels(m, now.atr, p, levels)
    score(m, head.volume_known != 0, p, now, terms, scores)
    scores.boost_ema60 = boost(levels, found, now.ema60, now.atr, p)
    scores.boost_ema333 = boost(levels, found, now.ema333, now.atr, p)
    head.flags = raise_flags(m, came_from, reason, p, now, scores, levels, found)
    head.exit = reason if head.flags else NO_EXIT
    head.levels = found
    head.state = m.state
    head.state_since = m.state_since
    head.attempt = m.attempt
    head.trend = m.trend


def _made(parts: str) -> Advance:
    """The entry point; `parts` is in its closure only because numba's cache counts that as part of its key."""

    @entry
    def advance(memories: Records, ends: Ints, bars: Bars, strategy: Records, newest: int, out: Outputs) -> None:
        parts  # noqa: B018
        p = strategy[0]
        row, i = 0, 0
        for series in range(len(memories)):
            while i < ends[series]:
                # A row that is not kept is overwritten by the next bar's.
                out.before[row] = memories[series]
                out.heads[row].series = series
                step(
                    memories[series],
                    bars,
                    i,
                    p,
                    out.heads[row],
                    out.indicators[row],
                    out.scores[row],
                    out.terms[row],
                    out.levels[row],
                )
                i += 1
                if ends[series] - i < newest:
                    row += 1

    return advance


advance: Final = _made(fingerprint())
"""Steps each memory through its bars: `ends` says where a series' bars end; its `newest` bars are kept."""
