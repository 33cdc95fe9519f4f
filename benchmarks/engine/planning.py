"""Planning of a thousand rows: a third of them holds something, each has a new signal."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks.engine.series import FIRST, HISTORY, SERIES, TIMEFRAME, bars_of, series_keys, walk_of, walks, warmed_up
from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.instrument import Instrument
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.pm import plan
from strandline.pm.inputs import CycleInputs, PlannerState, RowInputs
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS

_CYCLE: Final = datetime.fromtimestamp(FIRST // 1_000_000, UTC) + HISTORY * TIMEFRAME.length
_REPEATED: Final = 5


def seconds_to_plan(strategy: Strategy) -> float:
    """The seconds of the fastest of some plans of the same rows."""
    inputs = cycle_inputs(strategy)
    return min(_seconds(inputs, strategy) for _ in range(_REPEATED))


def cycle_inputs(strategy: Strategy) -> CycleInputs:
    """A cycle of a thousand rows with the signals of their newest bars."""
    every = walks(HISTORY)
    engine, states = warmed_up(strategy, every)
    newest = bars_of(every, [walk_of(place) for place in range(SERIES)], HISTORY - 1, HISTORY)
    _, outputs = engine.run_many(states, newest, [1] * SERIES)
    signals = engine.signals(outputs, series_keys())
    return CycleInputs(
        cycle=_CYCLE,
        rows=tuple(_row(place, signal) for place, signal in enumerate(signals)),
        equity=Money(1_000_000),
        day_start=Money(1_000_000),
        peak=Money(1_000_000),
        losing_streak=0,
        free_cash={str(HYPERLIQUID_PERPS): Money(500_000)},
    )


def _row(place: int, signal: Signal) -> RowInputs:
    token = f"C{place}"
    mark = Mark(price=Price.from_float(signal.indicators["close"]), source="bar 1m", observed_at=_CYCLE)
    holding = _holding(place) if place % 3 == 0 else Holding(trade_no=1)
    return RowInputs(
        position=Position(
            key=PositionKey(venue=HYPERLIQUID_PERPS, token_contract=token, timeframe=TIMEFRAME),
            instrument_id=signal.instrument_id,
            desired_status=DesiredStatus.OPEN,
            weight=Ratio(1),
            ready=True,
            holding=holding,
        ),
        instrument=Instrument(
            instrument_id=signal.instrument_id,
            venue=HYPERLIQUID_PERPS,
            token_contract=token,
            symbol=token,
            lot=Quantity("0.001"),
            min_notional=Money(10),
        ),
        price=mark,
        mark=mark,
        newest=signal,
        signals=(signal,),
        planner_state=PlannerState(
            generation=1, bar_ts=signal.bar_ts - TIMEFRAME.length, bar_revision=0, trade_no=holding.trade_no
        ),
    )


def _holding(place: int) -> Holding:
    entry, quantity = Price(80 + place % 40), Quantity(10)
    bought = _CYCLE - timedelta(days=1 + place % 20)
    return Holding(
        trade_no=1,
        quantity=quantity,
        average_entry=entry,
        invested=entry * quantity,
        first_fill_at=bought,
        last_fill_at=bought,
    )


def _seconds(inputs: CycleInputs, strategy: Strategy) -> float:
    began = time.perf_counter()
    plan(inputs, strategy)
    return time.perf_counter() - began
