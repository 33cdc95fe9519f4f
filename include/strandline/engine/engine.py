"""The uptrend engine: computes indicators, states, scores and flags from bars."""

from collections.abc import Sequence

import numpy as np

from strandline.engine.bars import Bars, as_bars, check_bars, select
from strandline.engine.parameters import parameters
from strandline.engine.records import Ints
from strandline.engine.results import BAR_STATE, INDICATORS, LEVEL, SCORES, TERMS, Outputs
from strandline.engine.series_state import StateFormat
from strandline.engine.signals import Series, make_signals
from strandline.engine.step import advance
from strandline.engine.summary import SeriesSummary, summarize
from strandline.model.errors import ConfigurationError
from strandline.model.record import require
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy


class Engine:
    """The engine of one strategy. It holds no series: callers pass the state of each as bytes and get the new one."""

    def __init__(self, strategy: Strategy) -> None:
        needed = _bars_needed(strategy)
        if strategy.history.bars_for_state < needed:
            raise ConfigurationError(
                [f"history.bars_for_state: the indicators need {needed} bars; raise it to at least that"]
            )
        self._format = StateFormat(strategy)
        self._parameters = parameters(strategy)
        self._levels = strategy.levels.newest
        self._bars_for_flags = strategy.history.bars_for_flags
        self._strategy_hash = strategy.hash

    def new_state(self) -> bytes:
        """The state of a series that has no bars yet."""
        return self._format.new_state()

    def run(self, state: bytes, bars: Bars, keep: int | None = None) -> tuple[bytes, Outputs]:
        """Step one series; returns its new state, and the outputs of all bars or of the newest `keep`."""
        states, outputs = self.run_many([state], bars, [len(bars.ts)], None if keep is None else [keep])
        return states[0], outputs

    def run_many(
        self, states: Sequence[bytes], bars: Bars, counts: Sequence[int], keep: Sequence[int] | None = None
    ) -> tuple[list[bytes], Outputs]:
        """Step many series at once; `counts` says how many of the bars belong to each, in order.

        `keep` says of how many of its newest bars the outputs are returned: at least one of each series that has any.
        """
        bars = as_bars(*bars)
        check_bars(bars)
        ends = np.cumsum(np.asarray(counts, dtype=np.int64))
        require(len(counts) == len(states) and min(counts, default=0) >= 0, "each series needs a count of bars")
        require((int(ends[-1]) if len(ends) else 0) == len(bars.ts), "the counts do not add up to the bars")
        advanced = self._format.read(states)
        _check_order(advanced["ts"], bars.ts, ends)
        kept = np.asarray(counts if keep is None else keep, dtype=np.int64)
        require(len(kept) == len(counts), "say of each series how many outputs to keep")
        require(bool(np.all((kept > 0) | (np.asarray(counts) == 0))), "keep at least the newest output of each series")
        outputs = self._empty_outputs(select(bars, _kept_rows(ends, kept)))
        advance(advanced, ends, bars, self._parameters, kept, outputs)
        return [state.tobytes() for state in advanced], outputs

    def signals(self, outputs: Outputs, series: Sequence[Series], rows: Sequence[int] | None = None) -> list[Signal]:
        """The signals of these rows, or of all rows with a state; `series` in the order in which they were run."""
        return make_signals(outputs, series, rows, self._strategy_hash)

    def summaries(self, outputs: Outputs) -> list[SeriesSummary]:
        """A summary of each series that had bars, after its newest bar."""
        return summarize(outputs, self._bars_for_flags)

    def _empty_outputs(self, bars: Bars) -> Outputs:
        rows = len(bars.ts)
        return Outputs(
            bars=bars,
            state_before=np.zeros(rows, self._format.type),
            bar_states=np.zeros(rows, BAR_STATE),
            indicators=np.zeros(rows, INDICATORS),
            scores=np.zeros(rows, SCORES),
            terms=np.zeros(rows, TERMS),
            levels=np.zeros((rows, self._levels), LEVEL),
        )


def warm_up(strategy: Strategy) -> None:
    """Compile the step, or load it from the cache; a process that forks calls this before."""
    engine = Engine(strategy)
    engine.run(engine.new_state(), as_bars([0], [0], [1.0], [1.0], [1.0], [1.0], [None], [0], [0.0], [False]))


def _bars_needed(strategy: Strategy) -> int:
    """The number of bars after which every window is full."""
    n = strategy.indicators
    return max(
        2 * n.wilder_bars + max(n.slope_bars, n.atr_mean_bars),
        n.slope_bars + strategy.scores.dip.rising_bars,
        n.separation_bars + 1,
        strategy.scores.decay.window_bars + 1,
    )


def _kept_rows(ends: Ints, keep: Ints) -> Ints:
    """The indices of the newest `keep` bars of each series."""
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    first = np.maximum(starts, ends - keep)
    ranges = [np.arange(start, end) for start, end in zip(first, ends, strict=True)]
    return np.concatenate(ranges).astype(np.int64) if ranges else ends


def _check_order(last: Ints, ts: Ints, ends: Ints) -> None:
    """Refuse bars that are out of order or were stepped before: each bar moves its series once."""
    if not len(ts):
        return
    before = np.empty_like(ts)
    before[1:] = ts[:-1]
    starts = np.concatenate([[0], ends[:-1]])
    filled = starts < ends
    before[starts[filled]] = last[filled]
    require(bool(np.all(ts > before)), "each bar must be newer than the one that its series took last")
