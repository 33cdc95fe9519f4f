"""Finds the exit that a row's signals since its cursor make due; only a flat row clears it."""

from dataclasses import dataclass
from datetime import datetime

from strandline.model.intent import ExitReason
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm.inputs import RowInputs


@dataclass(frozen=True)
class ExitDue:
    """The reason, and the bar whose signal gave it."""

    reason: ExitReason
    bar: datetime


def exit_due(row: RowInputs) -> ExitDue | None:
    """Return the exit that was due already, or that a signal since then made due; revised bars count too."""
    if not row.position.holding.quantity:
        return None
    due = _due_before(row)
    for signal in row.signals:
        due = _stronger(due, _due_by(signal))
    if due is None and row.newest is not None and row.newest.state is EngineState.S0:
        return ExitDue(_end_of_trend(row.newest), row.newest.bar_ts)
    return due


def _due_before(row: RowInputs) -> ExitDue | None:
    state = row.open_trade_state
    if state is None or state.exit_due is None or state.exit_due_bar is None:
        return None
    return ExitDue(state.exit_due, state.exit_due_bar)


def _due_by(signal: Signal) -> ExitDue | None:
    if signal.exit_reason is not None:
        return ExitDue(ExitReason(signal.exit_reason), signal.bar_ts)
    if Flag.EMERGENCY_EXIT in signal.flags:
        return ExitDue(ExitReason.EMERGENCY, signal.bar_ts)
    return None


def _stronger(due: ExitDue | None, new: ExitDue | None) -> ExitDue | None:
    """Keep the first one, unless a trend's end follows an emergency: its rule comes first."""
    if due is None:
        return new
    outranked = due.reason is ExitReason.EMERGENCY and new is not None and new.reason is not ExitReason.EMERGENCY
    return new if outranked else due


def _end_of_trend(signal: Signal) -> ExitReason:
    """For a row that holds in S0 without having seen the exit flag: a trend ended if one is named, else an attempt."""
    return ExitReason.TREND_OVER if signal.trend_id is not None else ExitReason.TREND_FAILED
