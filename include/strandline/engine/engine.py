"""The uptrend engine: computes indicators, states, scores and flags from bars."""

from collections.abc import Sequence

import numpy as np

from strandline.engine.bars import Bars, as_bars, select
from strandline.engine.checks import check_lengths, raise_fault
from strandline.engine.levels import fading
from strandline.engine.parameters import parameters
from strandline.engine.records import Ints, Records
from strandline.engine.results import BAR_STATE, INDICATORS, LEVEL, SCORES, TERMS, TERMS_WITH_VIEWS, Outputs
from strandline.engine.series_state import StateFormat
from strandline.engine.signals import Series, make_signals
from strandline.engine.step import advance
from strandline.engine.summary import SeriesSummary, summarize
from strandline.model.errors import ConfigurationError
from strandline.model.record import require
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy


class Engine:
    """The engine of one strategy. It holds no series: callers keep their states, as bytes or as one array."""

    def __init__(self, strategy: Strategy) -> None:
        needed = _bars_needed(strategy)
        if strategy.history.bars_for_state < needed:
            raise ConfigurationError(
                [f"history.bars_for_state: the indicators need {needed} bars; raise it to at least that"]
            )
        self._format = StateFormat(strategy)
        self._parameters = parameters(strategy)
        self._fading = fading(strategy.levels.half_life_bars)
        self._levels = strategy.levels.newest
        self._bars_for_flags = strategy.history.bars_for_flags
        self._strategy_hash = strategy.hash

    def new_state(self) -> bytes:
        """The state of a series that has no bars yet."""
        return self._format.new_state()

    def states(self, stored: Sequence[bytes]) -> Records:
        """Stored states as one array, for `advance`; `tobytes` of an item gives what is to be stored."""
        return self._format.read(stored)

    def run(self, state: bytes, bars: Bars, keep: int | None = None) -> tuple[bytes, Outputs]:
        """Step one series; returns its new state, and the outputs of all bars or of the newest `keep`."""
        states, outputs = self.run_many([state], bars, [len(bars.ts)], None if keep is None else [keep])
        return states[0], outputs

    def run_many(
        self, states: Sequence[bytes], bars: Bars, counts: Sequence[int], keep: Sequence[int] | None = None
    ) -> tuple[list[bytes], Outputs]:
        """Step many series at once, as `advance` does; returns their new states."""
        advanced = self.states(states)
        outputs = self.advance(advanced, bars, counts, keep)
        return [state.tobytes() for state in advanced], outputs

    def advance(
        self,
        states: Records,
        bars: Bars,
        counts: Sequence[int] | Ints,
        keep: Sequence[int] | Ints | None = None,
        *,
        signals: bool = True,
        into: Outputs | None = None,
    ) -> Outputs:
        """Step the series in place; `counts` says how many of the bars belong to each, in order.

        `keep` says of how many of its newest bars the outputs are returned: at least one of each series that has any.
        Without `signals` no signals can be made of the outputs. `into` are outputs of as many rows that nobody needs
        any more: who steps again and again spares the memory. Faults in the bars raise ValueError, and move nothing.
        """
        bars = as_bars(*bars)
        check_lengths(bars)
        of_each = np.asarray(counts, dtype=np.int64)
        ends = np.cumsum(of_each)
        require(len(of_each) == len(states) and bool(np.all(of_each >= 0)), "each series needs a count of bars")
        require((int(ends[-1]) if len(ends) else 0) == len(bars.ts), "the counts do not add up to the bars")
        kept = of_each if keep is None else np.minimum(np.asarray(keep, dtype=np.int64), of_each)
        require(len(kept) == len(of_each), "say of each series how many outputs to keep")
        require(bool(np.all((kept > 0) | (of_each == 0))), "keep at least the newest output of each series")
        outputs = self._outputs(_newest(bars, ends, kept), signals, into)
        terms = outputs.terms.view(TERMS_WITH_VIEWS)
        fault, row = advance(states, ends, bars, self._parameters, self._fading, kept, outputs._replace(terms=terms))
        raise_fault(fault, bars, row)
        return outputs

    def signals(self, outputs: Outputs, series: Sequence[Series], rows: Sequence[int] | None = None) -> list[Signal]:
        """The signals of these rows, or of all rows with a state; `series` in the order in which they were run."""
        return make_signals(outputs, series, rows, self._strategy_hash)

    def summaries(self, outputs: Outputs) -> list[SeriesSummary]:
        """A summary of each series that had bars, after its newest bar."""
        return summarize(outputs, self._bars_for_flags)

    def _outputs(self, bars: Bars, signals: bool, into: Outputs | None) -> Outputs:
        rows = len(bars.ts)
        states = rows if signals else 0
        if into and (len(into.bar_states), len(into.state_before)) == (rows, states):
            return into._replace(bars=bars)
        return Outputs(
            bars=bars,
            state_before=np.zeros(states, self._format.type),
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


def _newest(bars: Bars, ends: Ints, kept: Ints) -> Bars:
    """The newest `kept` bars of each series."""
    rows = int(kept.sum())
    if rows == len(bars.ts):
        return bars
    before = np.cumsum(kept) - kept
    return select(bars, np.arange(rows, dtype=np.int64) + np.repeat(ends - kept - before, kept))
