"""Finds the exit that is due by a signal since the row's cursor or by a stop that fired; only a flat row clears it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strandline.model.intent import ExitReason
from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm.inputs import RowInputs

_RULES: Final[Mapping[ExitReason, Rule]] = {
    ExitReason.STOP: Rule.STOP,
    ExitReason.TRAIL: Rule.TRAILING_STOP,
    ExitReason.TIME: Rule.TIME_STOP,
    ExitReason.TREND_FAILED: Rule.TREND_END,
    ExitReason.TREND_OVER: Rule.TREND_END,
    ExitReason.EMERGENCY: Rule.EMERGENCY_EXIT,
}
"""The rule that sells for each reason."""


@dataclass(frozen=True)
class ExitDue:
    """The reason, and the bar at which it was found."""

    reason: ExitReason
    bar: datetime

    @property
    def rule(self) -> Rule:
        """The rule that sells."""
        return _RULES[self.reason]


def exit_due(row: RowInputs) -> ExitDue | None:
    """Return the exit that was due already, or that a signal since then made due.

    What a restep made anew counts from the bar on in which the trade began. A buy that is open or in doubt counts as
    holding: what happens before it is booked is not forgotten.
    """
    if not row.in_trade:
        return None
    due = _due_before(row)
    for signal in (*_revised_in_trade(row), *row.signals):
        due = stronger(due, _due_by(signal))
    if due is None and row.newest is not None and row.newest.state is EngineState.S0:
        return ExitDue(_end_of_trend(row.newest), row.newest.bar_ts)
    return due


def _revised_in_trade(row: RowInputs) -> Iterator[Signal]:
    since = row.trade_since
    return (signal for signal in row.revised if since is not None and signal.bar_end > since)


def stronger(due: ExitDue | None, new: ExitDue | None) -> ExitDue | None:
    """Keep the first one, unless the rule of the new one comes earlier."""
    if due is None or new is None:
        return due or new
    return new if new.rule.number < due.rule.number else due


def _due_before(row: RowInputs) -> ExitDue | None:
    state = row.trade_state
    if state is None or state.exit_due is None or state.exit_due_bar is None:
        return None
    return ExitDue(state.exit_due, state.exit_due_bar)


def _due_by(signal: Signal) -> ExitDue | None:
    if signal.exit_reason is not None:
        return ExitDue(ExitReason(signal.exit_reason), signal.bar_ts)
    if Flag.EMERGENCY_EXIT in signal.flags:
        return ExitDue(ExitReason.EMERGENCY, signal.bar_ts)
    return None


def _end_of_trend(signal: Signal) -> ExitReason:
    """For a row that holds in S0 without having seen the exit flag; a series that began in S0 has seen no trend."""
    return ExitReason(signal.ended_by) if signal.ended_by else ExitReason.TREND_FAILED
