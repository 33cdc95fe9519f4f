"""Folds the signals of a row into whether an exit is due. Only a flat row clears it."""

from dataclasses import dataclass
from datetime import datetime

from strandline.model.intent import ExitReason
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm.inputs import Row


@dataclass(frozen=True)
class ExitDue:
    """Why, and the bar that said so."""

    reason: ExitReason
    bar: datetime


def exit_due(row: Row) -> ExitDue | None:
    """What was due, and what the signals since then have added, oldest first; revised bars count too."""
    if not row.position.holding.quantity:
        return None
    due = _remembered(row)
    for signal in row.signals:
        due = _stronger(due, _said(signal))
    if due is None and row.newest is not None and row.newest.state is EngineState.S0:
        return ExitDue(_end_of_trend(row.newest), row.newest.bar_ts)
    return due


def _remembered(row: Row) -> ExitDue | None:
    memory = row.memory_of_trade
    if memory is None or memory.exit_due is None or memory.exit_due_bar is None:
        return None
    return ExitDue(memory.exit_due, memory.exit_due_bar)


def _said(signal: Signal) -> ExitDue | None:
    if signal.exit_reason is not None:
        return ExitDue(ExitReason(signal.exit_reason), signal.bar_ts)
    if Flag.EMERGENCY_EXIT in signal.flags:
        return ExitDue(ExitReason.EMERGENCY, signal.bar_ts)
    return None


def _stronger(due: ExitDue | None, said: ExitDue | None) -> ExitDue | None:
    """The first one stays, but the end of a trend outranks an emergency: its rule comes first."""
    if due is None:
        return said
    outranked = due.reason is ExitReason.EMERGENCY and said is not None and said.reason is not ExitReason.EMERGENCY
    return said if outranked else due


def _end_of_trend(signal: Signal) -> ExitReason:
    """A row that holds although S0 was reached without it: what ended was a trend if one is named, else an attempt."""
    return ExitReason.TREND_OVER if signal.trend_id is not None else ExitReason.TREND_FAILED
