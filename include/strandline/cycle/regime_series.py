"""Steps a series of the market from a place in it: the engine's signal of each bar, and the phase that follows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from strandline.cycle.market_bars import MarketBar
from strandline.engine import (
    ENGINE_VERSION,
    Bars,
    Engine,
    IndexBar,
    Outputs,
    Series,
    as_bars,
    gap_number,
    takes_full_range,
)
from strandline.engine.bars import micros
from strandline.engine.results import NO_STATE
from strandline.model.canonical import digest
from strandline.model.regime import RegimeSeries
from strandline.model.signal import EngineState, Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.pm.phases import NO_PHASE, IndexView, PhaseHeld, confirm, shown_phase

CHECKPOINTS: Final = 120
"""Of how many of the newest bars state and signal are kept."""

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROUND_BARS: Final = 2_000
_STATES: Final = tuple(EngineState)


class Place(NamedTuple):
    """Where a series stands after a bar, with the highs and lows of the bars up to it. `level` is its close."""

    ts: datetime
    level: float | None
    bar_count: int
    held: PhaseHeld
    input_hash: str
    state: bytes
    highs: tuple[float, ...]
    lows: tuple[float, ...]


class NewBar(NamedTuple):
    """A bar that is to be stepped; `known` if it is stored as it is, with this revision."""

    market: MarketBar
    revision: int
    input_hash: str
    known: bool = False


class SteppedBar(NamedTuple):
    """A bar and what came of it; state and signal of the newest bars only, and no signal without a state."""

    new: NewBar
    bar_count: int
    view: IndexView
    held: PhaseHeld
    state: bytes | None
    signal: Signal | None


class MarketSeries:
    """The engine and the rules of phases for one series."""

    def __init__(self, engine: Engine, strategy: Strategy, series: RegimeSeries, timeframe: Timeframe) -> None:
        self._engine = engine
        self._rules = strategy.regime
        self._timeframe = timeframe
        self.window = max(self._rules.drawdown_bars, self._rules.double_dip_bars)
        layout = engine.new_state()[:8].hex()
        self.made_with = digest([ENGINE_VERSION, layout, series, timeframe, strategy.regime])

    def beginning(self) -> Place:
        """Before the first bar."""
        return Place(_BEGINNING, None, 0, NO_PHASE, self.made_with, self._engine.new_state(), (), ())

    def step(self, place: Place, bars: Sequence[NewBar], instrument_id: int, generation: int) -> Iterator[SteppedBar]:
        """Step these bars, which follow the place. Where it is cut in two makes no difference."""
        series = Series(instrument_id, self._timeframe, generation)
        state, held, count = place.state, place.held, place.bar_count
        highs, lows = list(place.highs), list(place.lows)
        for start in range(0, len(bars), _ROUND_BARS):
            chunk = bars[start : start + _ROUND_BARS]
            kept = range(max(0, len(bars) - CHECKPOINTS - start), len(chunk))
            state, outputs = self._engine.run(state, _columns(chunk, self._timeframe))
            states = [*(row.tobytes() for row in outputs.state_before[kept.start + 1 :]), state]
            signals = self._signals(outputs, kept, series)
            for row, new in enumerate(chunk):
                bar = new.market.bar
                highs, lows = [*highs, bar.high][-self.window :], [*lows, bar.low][-self.window :]
                view = self._view(outputs, row, bar, highs, lows)
                held = confirm(held, shown_phase(view, self._rules), self._rules.confirm_bars)
                count += 1
                kept_state = states[row - kept.start] if row in kept else None
                yield SteppedBar(new, count, view, held, kept_state, signals.get(row))

    def _signals(self, outputs: Outputs, kept: range, series: Series) -> dict[int, Signal]:
        rows = [row for row in kept if outputs.bar_states[row]["state"] != NO_STATE]
        return dict(zip(rows, self._engine.signals(outputs, [series], rows), strict=True))

    def _view(
        self, outputs: Outputs, row: int, bar: IndexBar, highs: Sequence[float], lows: Sequence[float]
    ) -> IndexView:
        state = int(outputs.bar_states[row]["state"])
        return IndexView(
            state=None if state == NO_STATE else _STATES[state],
            overextension=float(outputs.scores[row]["ox"]),
            rsi=float(outputs.indicators[row]["rsi"]),
            at_low=bar.low <= min(lows[-self._rules.double_dip_bars :]),
            drawdown=1 - bar.close / max(highs[-self._rules.drawdown_bars :]),
        )


def hashes(before: str, bars: Sequence[MarketBar]) -> Iterator[str]:
    """The hash of each bar and of all before it."""
    for one in bars:
        before = digest([before, *one.bar])
        yield before


def _columns(bars: Sequence[NewBar], timeframe: Timeframe) -> Bars:
    found = [new.market.bar for new in bars]
    return as_bars(
        [micros(bar.ts) for bar in found],
        [new.revision for new in bars],
        [bar.open for bar in found],
        [bar.high for bar in found],
        [bar.low for bar in found],
        [bar.close for bar in found],
        [bar.volume for bar in found],
        # The index has no sessions, and neither has what is traded around the clock.
        [gap_number(None)] * len(found),
        [0.0] * len(found),
        [takes_full_range(timeframe)] * len(found),
    )
