"""The cursor of signals, and what is kept of the open trade."""

from datetime import timedelta

import pytest

from strandline.model.exact import Price, Quantity
from strandline.model.intent import ExitReason
from strandline.model.position import DesiredStatus
from strandline.model.signal import Flag, Signal
from strandline.pm.inputs import PlannerState, RowInputs
from tests.pm.sample_inputs import BAR, changed, decide, held, planner_state, row, signal

LENGTH = timedelta(minutes=15)


def after(one: RowInputs) -> PlannerState:
    """The planner state after this row was planned."""
    decision = decide(one)
    assert decision.planner_state is not None
    return decision.planner_state


def cursor(one: RowInputs) -> tuple[int, object, int]:
    """The last signal that need not be read again."""
    new = after(one)
    return new.generation, new.bar_ts, new.bar_revision


def older(bars: int, revision: int = 0) -> Signal:
    """The signal of this many bars before the newest."""
    return signal(bar_ts=BAR - bars * LENGTH, bar_revision=revision)


def test_a_decision_is_done_with_the_newest_bar() -> None:
    for one in (row(), row(Flag.BUY_SIGNAL), row(Flag.BUY_SIGNAL, price=110), row(holding=held(), price=90)):
        assert cursor(one) == (1, BAR, 0)
    assert cursor(row(signals=(older(1), signal(bar_revision=3)))) == (1, BAR, 3)


@pytest.mark.parametrize(
    ("unread", "before", "done"),
    [
        ((older(2), older(1, 1), signal()), planner_state(bar_ts=BAR - 3 * LENGTH), (BAR - LENGTH, 1)),
        ((signal(),), planner_state(bar_ts=BAR - 9 * LENGTH, bar_revision=2), (BAR - 9 * LENGTH, 2)),
        ((signal(),), None, (BAR - LENGTH, 0)),
        ((signal(),), planner_state(generation=7, bar_ts=BAR), (BAR - LENGTH, 0)),
        ((older(5, 1), signal()), planner_state(bar_ts=BAR - LENGTH), (BAR - LENGTH, 0)),
        ((signal(), signal(bar_revision=1)), planner_state(bar_ts=BAR - LENGTH), (BAR, 0)),
        ((), planner_state(bar_ts=BAR), (BAR, 0)),
    ],
)
def test_a_hold_of_rule_7_is_done_with_all_but_the_newest(
    unread: tuple[Signal, ...], before: PlannerState | None, done: tuple[object, int]
) -> None:
    newest = unread[-1] if unread else signal()
    held_back = row(newest=newest, signals=unread, planner_state=before, desired_status=DesiredStatus.PAUSED)
    assert cursor(held_back) == (1, *done)


def test_without_signals_the_cursor_stays() -> None:
    assert cursor(row(newest=None, signals=(), planner_state=planner_state(bar_revision=4))) == (1, BAR - LENGTH, 4)


def test_the_highest_only_rises() -> None:
    before = planner_state(highest=Price(105))
    assert after(row(holding=held(), planner_state=before)).highest == Price(105)
    assert after(row(holding=held(), planner_state=before, highest_close=Price(107))).highest == Price(107)
    assert after(row(holding=held(), planner_state=before, price=109)).highest == Price(109)
    assert after(row(holding=held(), planner_state=before, price=None)).highest == Price(105)


def test_a_flat_row_forgets_its_trade() -> None:
    before = planner_state(highest=Price(150), trail_armed=True, exit_due=ExitReason.TREND_OVER, exit_due_bar=BAR)
    flat = changed(held(), quantity=Quantity(0), average_entry=None)
    new = after(row(holding=flat, planner_state=before))
    assert (new.trade_no, new.highest, new.trail_armed, new.exit_due, new.exit_due_bar) == (4, None, False, None, None)


def test_a_new_trade_starts_with_nothing() -> None:
    before = planner_state(trade_no=2, highest=Price(150), trail_armed=True)
    new = after(row(holding=held(), planner_state=before))
    assert (new.trade_no, new.highest, new.trail_armed) == (3, Price(100), False)


def test_signals_must_come_in_order() -> None:
    with pytest.raises(ValueError, match="oldest first"):
        row(signals=(signal(), older(1)))


@pytest.mark.parametrize(
    ("one", "restep"),
    [
        (row(), 0),
        (row(planner_state=planner_state(restep=2)), 2),
        (row(planner_state=planner_state(generation=7, restep=2)), 0),
        (row(planner_state=planner_state(restep=2), signals=(signal(restep=3),)), 3),
        (row(planner_state=planner_state(restep=2), newest=signal(), signals=(), revised=(older(1),)), 2),
        (
            row(
                newest=signal(),
                signals=(),
                revised=(signal(bar_ts=BAR - LENGTH, restep=1),),
                planner_state=planner_state(),
            ),
            1,
        ),
    ],
)
def test_each_restep_is_read_once(one: RowInputs, restep: int) -> None:
    assert after(one).restep == restep
