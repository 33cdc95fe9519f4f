"""What an exit's intent says, attempt for attempt."""

from datetime import timedelta
from typing import Any

import pytest

from strandline.model.exact import Ratio
from strandline.model.intent import ExecutionIntent, ExitReason, Urgency
from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag
from strandline.pm import plan
from strandline.pm.inputs import RowInputs, TradeHistory
from tests.pm.sample_inputs import BAR, STRATEGY, T, cycle, decide, held, intents, planner_state, row, strategy_with

STOP = Rule.STOP


def sold(one: RowInputs) -> ExecutionIntent:
    """The intent, which must be there."""
    intent = decide(one).intent
    assert intent is not None
    return intent


def stopped(*ended: Rule, **special: Any) -> RowInputs:
    """Below the stop, after exits of these rules have ended."""
    return row(holding=held(), price=90, history=TradeHistory(ended_exits=ended), **special)


@pytest.mark.parametrize(
    ("ended", "attempt", "slippage"),
    [
        ((), 0, 50),
        ((STOP,), 1, 300),
        ((STOP, STOP), 2, 600),
        ((STOP, STOP, STOP, STOP), 4, 600),
        ((Rule.TRIM, Rule.TRIM), 0, 50),
        ((Rule.TRIM, Rule.TRAILING_STOP), 1, 300),
        ((Rule.TRIM, Rule.EMERGENCY_EXIT, Rule.TREND_END), 2, 600),
    ],
)
def test_an_exit_gives_more_room_with_each_attempt_of_its_trade_whatever_rule_made_it(
    ended: tuple[Rule, ...], attempt: int, slippage: int
) -> None:
    intent = sold(stopped(*ended))
    assert (intent.attempt_no, intent.max_slippage_bps) == (attempt, slippage)


def test_each_attempt_has_its_own_id_and_the_same_attempt_the_same() -> None:
    ids = [sold(stopped(*ended)).intent_id for ended in ((), (STOP,), (STOP, STOP))]
    assert len(set(ids)) == 3
    assert sold(stopped(STOP)).intent_id == ids[1]


def test_a_trim_slips_no_more_than_an_entry() -> None:
    past = TradeHistory(ended_exits=(Rule.TRIM, STOP, Rule.TRIM))
    intent = sold(row(Flag.TRIM_FLAG, holding=held(entry=90), history=past))
    assert (intent.attempt_no, intent.max_slippage_bps, intent.urgency) == (2, 50, Urgency.NORMAL)


def test_an_exit_sells_the_whole_urgently_within_ten_minutes() -> None:
    intent = sold(stopped())
    assert (intent.size_frac, intent.quantity, intent.urgency) == (Ratio(1), held().quantity, Urgency.HIGH)
    assert (intent.expires_at, intent.reduce_only, intent.notional) == (T + timedelta(seconds=600), True, None)
    assert (intent.trade_no, intent.source_bar, intent.state) == (3, BAR, EngineState.S1)


def test_a_quantity_below_a_lot_is_still_sold() -> None:
    """Whether the venue takes it is the executor's decision."""
    assert sold(row(holding=held("0.0004"), price=90)).quantity == held("0.0004").quantity


def test_an_exit_needs_no_signal() -> None:
    intent = sold(row(holding=held(), price=90, newest=None, signals=(), planner_state=None))
    assert (intent.exit_reason, intent.source_bar, intent.state) == (ExitReason.STOP, BAR, EngineState.S4)


def test_numbers_and_hash_are_the_strategys() -> None:
    other = strategy_with("exits", stop_pct=20.0)
    near, far = row(holding=held(), price=90), row(holding=held(), price=80)
    assert intents(plan(cycle(near), other)) == ()
    assert intents(plan(cycle(far), other))[0].strategy_hash == other.hash != STRATEGY.hash


def test_the_digest_covers_holds_and_what_they_rest_on() -> None:
    holds = plan(cycle(row()), STRATEGY)
    assert intents(holds) == ()
    others = [
        cycle(row(price=99)),
        cycle(row(planner_state=planner_state(trade_no=0)), losing_streak=1),
        cycle(row(), row(token="ETH")),
    ]
    assert len({holds.digest, *(plan(one, STRATEGY).digest for one in others)}) == 4
