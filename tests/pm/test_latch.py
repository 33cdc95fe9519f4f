"""The loss latch: what it keeps from buying, and what releases it."""

from datetime import timedelta

import pytest

from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm import reasons as why
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import LastLoss, PlannerState, RowInputs, TradeHistory
from tests.pm.sample_inputs import BAR, T, changed, closed, decide, planner_state, row, signal

TREND, EARLIER = T - timedelta(days=2), T - timedelta(days=9)
BEFORE_S3, INSIDE_S3 = LastLoss(trade_no=3, trend_id=None), LastLoss(trade_no=3, trend_id=TREND)
WANTED = {
    Rule.FIRST_BUY: signal(Flag.BUY_SIGNAL),
    Rule.S2_BUY: signal(Flag.BUY_FLAG, state=EngineState.S2),
    Rule.FIRST_DIP: signal(Flag.FIRST_DIP_BUY_FLAG, state=EngineState.S3, trend_id=TREND),
    Rule.LADDER: signal(Flag.BUY_FLAG, state=EngineState.S3, trend_id=TREND),
}
"""A signal on which each rule buys."""


def flat(newest: Signal, loss: LastLoss | None, state: PlannerState | None = None) -> RowInputs:
    """A row whose last trade lost, or has not."""
    return row(
        signals=(newest,),
        holding=closed(),
        planner_state=state or planner_state(trade_no=4),
        history=TradeHistory(last_loss=loss, trends_fled=(TREND,)),
    )


def assert_latched(decision: RowDecision) -> None:
    assert (decision.rule, decision.reasons, decision.intent) == (Rule.BLOCKED, (why.LOSS_LATCH,), None)


@pytest.mark.parametrize("rule", WANTED)
def test_a_trade_that_lost_keeps_every_entry_from_its_row(rule: Rule) -> None:
    newest = WANTED[rule]
    loss = INSIDE_S3 if newest.state is EngineState.S3 else BEFORE_S3
    assert_latched(decide(flat(newest, loss)))
    free = decide(flat(newest, None))
    assert (free.rule, free.intent is not None) == (rule, True)


def test_a_reclaim_is_excepted_even_where_another_rule_would_have_come_first() -> None:
    both = changed(WANTED[Rule.LADDER], flags=(Flag.BUY_FLAG, Flag.RECLAIMED_EMA333))
    decision = decide(flat(both, INSIDE_S3))
    assert (decision.rule, decision.intent is not None) == (Rule.RECLAIM, True)


@pytest.mark.parametrize(
    ("loss", "seen", "released"),
    [
        (BEFORE_S3, signal(state=EngineState.S2), False),
        (BEFORE_S3, signal(state=EngineState.S3, trend_id=TREND), True),
        (INSIDE_S3, signal(state=EngineState.S3, trend_id=TREND), False),
        (INSIDE_S3, signal(state=EngineState.S0), True),
        (INSIDE_S3, signal(state=EngineState.S3, trend_id=BAR), True),
    ],
)
def test_what_releases_it(loss: LastLoss, seen: Signal, released: bool) -> None:
    after = decide(flat(seen, loss)).planner_state
    assert after is not None
    assert after.released_trade_no == (3 if released else None)


def test_it_is_released_for_good_also_by_a_bar_that_is_not_the_newest() -> None:
    """An S3 that came and went between two cycles, or long ago."""
    passed = changed(WANTED[Rule.FIRST_DIP], bar_ts=BAR - timedelta(minutes=15), flags=())
    later = changed(flat(passed, BEFORE_S3), signals=(passed, WANTED[Rule.FIRST_BUY]), newest=WANTED[Rule.FIRST_BUY])
    decision = decide(later)
    assert decision.rule is Rule.FIRST_BUY
    again = decide(flat(WANTED[Rule.FIRST_BUY], BEFORE_S3, decision.planner_state))
    assert again.planner_state is not None
    assert again.planner_state.released_trade_no == 3
    assert why.LOSS_LATCH not in again.reasons


def test_the_next_loss_latches_again() -> None:
    released = planner_state(trade_no=5, released_trade_no=3)
    assert_latched(decide(flat(WANTED[Rule.FIRST_BUY], LastLoss(trade_no=4, trend_id=None), released)))
