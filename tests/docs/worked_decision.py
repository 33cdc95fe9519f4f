"""The decision that docs/portfolio-manager.md works through: `python -m tests.docs.worked_decision` prints it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from strandline.model.canonical import canonical_bytes
from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.instrument import Instrument
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.regime import Phase
from strandline.model.signal import Flag, Signal
from strandline.model.timeframe import Timeframe
from strandline.pm import plan
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import (
    CycleInputs,
    DriverInputs,
    PhaseInputs,
    RaisedFlags,
    RegimeInputs,
    RowInputs,
    TradeHistory,
)
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.docs.worked_signal import text_of, worked_signal
from tests.engine.samples import STRATEGY

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


def worked_decision() -> RowDecision:
    """Plan a cycle of one row, five minutes after the bar of docs/engine.md has closed."""
    return plan(_cycle(worked_signal()), STRATEGY).decisions[0]


def shown(decision: RowDecision) -> str:
    """What the strand keeps of the decision, as far as the size follows from it."""
    payload = json.loads(canonical_bytes(decision))
    inputs = ("equity", "allocation", "remaining", "price", "meso_phase", "macro_phase", "btc_flags", "neutral_terms")
    rows = {
        "rule": payload["rule"],
        "reasons": payload["reasons"],
        **{name: payload["evidence"][name] for name in ("appetite", "exit_urgency", "terms", "rules_not_fired")},
        "inputs": {name: payload["evidence"]["inputs"][name] for name in inputs},
        "intent": {name: payload["intent"][name] for name in ("decision", "size_frac", "notional", "max_slippage_bps")},
    }
    return "{\n" + ",\n".join(f'  "{name}": {text_of(value)}' for name, value in rows.items()) + "\n}"


def names(decision: RowDecision) -> Mapping[str, float]:
    """Every number of the decision by its name."""
    assert decision.intent is not None
    assert decision.intent.notional is not None
    evidence = decision.evidence
    return {
        **evidence.terms,
        "A": evidence.appetite,
        "E": evidence.exit_urgency,
        **{name: float(evidence.inputs[name]) for name in ("equity", "allocation", "remaining")},
        "size_frac": float(decision.intent.size_frac),
        "notional": float(decision.intent.notional),
    }


def _cycle(signal: Signal) -> CycleInputs:
    """A desk that is 4 % under its peak, in a market that recovers, two hours after BTC raised a flag to buy."""
    cycle = signal.bar_end + timedelta(minutes=5)
    return CycleInputs(
        cycle=cycle,
        rows=(_row(signal),),
        equity=Money(96_000),
        day_start=Money(97_000),
        peak=Money(100_000),
        losing_streak=1,
        free_cash={str(HYPERLIQUID_PERPS): Money(90_000)},
        regime=RegimeInputs(
            meso=_phase(signal, HOUR, Phase.GOOD),
            macro=_phase(signal, DAY, Phase.RECOVER),
            btc=DriverInputs(
                bar_ts=signal.bar_ts,
                bar_revision=0,
                bar_count=2508,
                raised=(RaisedFlags(bar_ts=signal.bar_ts - 2 * HOUR, flags=(Flag.BUY_FLAG,)),),
            ),
            index=DriverInputs(bar_ts=signal.bar_ts, bar_revision=0, bar_count=2508),
        ),
    )


def _phase(signal: Signal, length: timedelta, phase: Phase) -> PhaseInputs:
    timeframe = Timeframe.H1 if length == HOUR else Timeframe.D1
    newest = timeframe.start_of(signal.bar_end) - length
    return PhaseInputs(bar_ts=newest, bar_revision=0, phase=phase, shown=phase, shown_bars=9)


def _row(signal: Signal) -> RowInputs:
    """A row on 1h and holds something since two days; the token's other rows hold nothing."""
    key = PositionKey(venue=HYPERLIQUID_PERPS, token_contract="BTC", timeframe=Timeframe.H1)
    price = Mark(price=Price("61.05"), source="bar 1m", observed_at=signal.bar_end + timedelta(minutes=5))
    return RowInputs(
        position=Position(
            key=key,
            instrument_id=1,
            desired_status=DesiredStatus.OPEN,
            weight=Ratio("0.40"),
            ready=True,
            holding=Holding(
                trade_no=1,
                quantity=Quantity(20),
                average_entry=Price("62.5"),
                invested=Money(1_250),
                first_fill_at=signal.bar_end - 2 * DAY,
                last_fill_at=signal.bar_end - 2 * DAY,
            ),
        ),
        instrument=Instrument(
            instrument_id=1,
            venue=HYPERLIQUID_PERPS,
            token_contract="BTC",
            symbol="BTC",
            lot=Quantity("0.001"),
            min_notional=Money(10),
        ),
        price=price,
        mark=price,
        newest=signal,
        signals=(signal,),
        planner_state=None,
        highest_close=Price("63"),
        history=TradeHistory(failed_attempts=1),
    )


if __name__ == "__main__":
    print(shown(worked_decision()))
