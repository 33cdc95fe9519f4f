"""The uptrend engine: bars in, what they mean out."""

from collections.abc import Sequence

import numpy as np

from strandline.engine.bars import Bars, as_bars, check, select
from strandline.engine.memory import Memories
from strandline.engine.parameters import parameters
from strandline.engine.progress import Progress, progress
from strandline.engine.records import Ints
from strandline.engine.results import HEAD, INDICATORS, LEVEL, SCORES, TERMS, Outputs
from strandline.engine.signals import Series, make_signals
from strandline.engine.step import advance
from strandline.model.errors import ConfigurationError
from strandline.model.record import require
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy


class Engine:
    """One strategy's engine. It holds no series: what each remembers is given and given back."""

    def __init__(self, strategy: Strategy) -> None:
        needed = _warm_up_bars(strategy)
        if strategy.history.bars_for_state < needed:
            raise ConfigurationError(
                [f"history.bars_for_state: every indicator has its bars from {needed} on; raise it"]
            )
        self._memories = Memories(strategy)
        self._parameters = parameters(strategy)
        self._levels = strategy.levels.newest
        self._bars_for_flags = strategy.history.bars_for_flags
        self._strategy_hash = strategy.hash

    def fresh(self) -> bytes:
        """The memory of a new series."""
        return self._memories.fresh()

    def run(self, memory: bytes, bars: Bars, newest: int | None = None) -> tuple[bytes, Outputs]:
        """Step one series through its bars; outputs of all of them, or of the newest only."""
        memories, outputs = self.run_many([memory], bars, [len(bars.ts)], newest)
        return memories[0], outputs

    def run_many(
        self, memories: Sequence[bytes], bars: Bars, counts: Sequence[int], newest: int | None = None
    ) -> tuple[list[bytes], Outputs]:
        """The same for many series at once; `counts` says how many of the bars belong to each, in order."""
        bars = as_bars(*bars)
        check(bars)
        ends = np.cumsum(np.asarray(counts, dtype=np.int64))
        require(len(counts) == len(memories) and min(counts, default=0) >= 0, "each series needs a count of bars")
        require((int(ends[-1]) if len(ends) else 0) == len(bars.ts), "the counts do not add up to the bars")
        advanced = self._memories.read(memories)
        _check_order(advanced["ts"], bars.ts, ends)
        most = max(counts, default=0) if newest is None else newest
        require(most > 0 or not len(bars.ts), "at least the newest output of a series is kept")
        kept = _kept(ends, most)
        outputs = self._room(select(bars, kept))
        advance(advanced, ends, bars, self._parameters, most, outputs)
        return [memory.tobytes() for memory in advanced], outputs

    def signals(self, outputs: Outputs, series: Sequence[Series], rows: Sequence[int] | None = None) -> list[Signal]:
        """The signals of these rows, or of all that have a state; `series` in the order in which they were run."""
        return make_signals(outputs, series, rows, self._strategy_hash)

    def progress(self, outputs: Outputs) -> list[Progress]:
        """How far each series that had bars has come."""
        return progress(outputs, self._bars_for_flags)

    def _room(self, bars: Bars) -> Outputs:
        rows = len(bars.ts)
        return Outputs(
            bars=bars,
            before=np.zeros(rows, self._memories.type),
            heads=np.zeros(rows, HEAD),
            indicators=np.zeros(rows, INDICATORS),
            scores=np.zeros(rows, SCORES),
            terms=np.zeros(rows, TERMS),
            levels=np.zeros((rows, self._levels), LEVEL),
        )


def warm_up(strategy: Strategy) -> None:
    """Compile, or load what was compiled before; a process that forks does it first."""
    engine = Engine(strategy)
    engine.run(engine.fresh(), as_bars([0], [0], [1.0], [1.0], [1.0], [1.0], [None], [False]))


def _warm_up_bars(strategy: Strategy) -> int:
    """After how many bars every window is full."""
    n = strategy.indicators
    return max(
        2 * n.wilder_bars + max(n.slope_bars, n.atr_mean_bars),
        n.slope_bars + strategy.scores.dip.rising_bars,
        n.separation_bars + 1,
        strategy.scores.decay.window_bars + 1,
    )


def _kept(ends: Ints, newest: int) -> Ints:
    """The indices of the bars whose outputs are kept."""
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    first = np.maximum(starts, ends - newest)
    ranges = [np.arange(start, end) for start, end in zip(first, ends, strict=True)]
    return np.concatenate(ranges).astype(np.int64) if ranges else ends


def _check_order(last: Ints, ts: Ints, ends: Ints) -> None:
    """A bar that was stepped before, or that comes out of order, would move a series that it must not move."""
    if not len(ts):
        return
    before = np.empty_like(ts)
    before[1:] = ts[:-1]
    starts = np.concatenate([[0], ends[:-1]])
    filled = starts < ends
    before[starts[filled]] = last[filled]
    require(bool(np.all(ts > before)), "each bar must be newer than the one that its series took last")
