"""The market's regime in the simulated year: the index on 1h and 1d, and BTC, by the same functions as live."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np

from strandline.engine import Bars, Engine
from strandline.engine.bars import instant
from strandline.engine.results import NO_STATE, Outputs
from strandline.model.signal import EngineState, Flag
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import DriverInputs, PhaseInputs, RaisedFlags, RegimeInputs
from strandline.pm.phases import NO_PHASE, IndexView, confirm, shown_phase
from tests.simulated_year.market import FiveMinutes, bars_of, index

_STATES = tuple(EngineState)
_FLAGS = tuple(Flag)

T = TypeVar("T", PhaseInputs, DriverInputs)


@dataclass(frozen=True)
class Regimes:
    """What was known of the market at each hour and day."""

    meso: list[PhaseInputs]
    macro: list[PhaseInputs]
    btc: list[DriverInputs]
    index: list[DriverInputs]

    def at(self, cycle: datetime) -> RegimeInputs:
        """What a cycle knows."""
        return RegimeInputs(
            meso=_newest(self.meso, Timeframe.H1, cycle),
            macro=_newest(self.macro, Timeframe.D1, cycle),
            btc=_newest(self.btc, Timeframe.H1, cycle),
            index=_newest(self.index, Timeframe.H1, cycle),
        )


def regimes(tokens: Mapping[str, FiveMinutes], engine: Engine, strategy: Strategy) -> Regimes:
    """Step the index and BTC through all of their bars."""
    hours, days = index(tokens, Timeframe.H1), index(tokens, Timeframe.D1)
    of_hours = engine.run(engine.new_state(), hours)[1]
    of_days = engine.run(engine.new_state(), days)[1]
    bitcoin = bars_of(tokens["BTC"], Timeframe.H1)
    return Regimes(
        list(_phases(hours, of_hours, strategy)),
        list(_phases(days, of_days, strategy)),
        list(_drivers(bitcoin, engine.run(engine.new_state(), bitcoin)[1])),
        list(_drivers(hours, of_hours)),
    )


def _newest(found: list[T], timeframe: Timeframe, cycle: datetime) -> T | None:
    place = bisect_right(found, timeframe.last_final(cycle), key=lambda one: one.bar_ts)
    return found[place - 1] if place else None


def _phases(bars: Bars, outputs: Outputs, strategy: Strategy) -> Iterator[PhaseInputs]:
    rules, held = strategy.regime, NO_PHASE
    for i, ts in enumerate(bars.ts.tolist()):
        state = int(outputs.bar_states["state"][i])
        if state == NO_STATE:
            continue
        view = IndexView(
            state=_STATES[state],
            overextension=float(outputs.scores["ox"][i]),
            rsi=float(outputs.indicators["rsi"][i]),
            at_low=bool(bars.low[i] <= np.min(bars.low[max(0, i - rules.double_dip_bars + 1) : i + 1])),
            drawdown=float(1 - bars.close[i] / np.max(bars.high[max(0, i - rules.drawdown_bars + 1) : i + 1])),
        )
        held = confirm(held, shown_phase(view, rules), rules.confirm_bars)
        yield PhaseInputs(bar_ts=instant(ts), bar_revision=0, phase=held.phase, shown=held.shown, shown_bars=held.bars)


def _drivers(bars: Bars, outputs: Outputs) -> Iterator[DriverInputs]:
    raised: tuple[RaisedFlags, ...] = ()
    for i, ts in enumerate(bars.ts.tolist()):
        bits = int(outputs.bar_states["flags"][i])
        if bits:
            flags = tuple(flag for place, flag in enumerate(_FLAGS) if bits >> place & 1)
            raised = (*raised[-20:], RaisedFlags(bar_ts=instant(ts), flags=flags))
        yield DriverInputs(
            bar_ts=instant(ts), bar_revision=0, bar_count=int(outputs.bar_states["bar_count"][i]), raised=raised
        )
