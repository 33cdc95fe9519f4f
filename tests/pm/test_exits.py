"""Rules 1 to 6, each at its edge: what fires, and its closest neighbour that does not."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from strandline.model.exact import Price, Quantity
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, IntentStatus
from strandline.model.position import DesiredStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm import reasons as why
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import LastTrim, TradeHistory
from tests.pm.sample_inputs import (
    BAR,
    LEVELS,
    NEW_LEVEL,
    OLD_LEVEL,
    T,
    changed,
    closed,
    decide,
    exit_signal,
    held,
    mark,
    open_intent,
    planner_state,
    row,
    signal,
)

OLD = T - timedelta(days=14)
BEFORE = BAR - timedelta(minutes=15)


def sold(decision: RowDecision) -> ExecutionIntent:
    """The intent, which must be there."""
    assert decision.intent is not None
    assert decision.intent.side is Side.SELL
    return decision.intent


@pytest.mark.parametrize(("price", "rule"), [("92", Rule.STOP), ("91.99", Rule.STOP), ("92.01", Rule.HOLD)])
def test_the_stop_fires_at_eight_percent_below_the_average_entry(price: str, rule: Rule) -> None:
    decision = decide(row(holding=held(entry=100), price=price))
    assert decision.rule == rule
    if rule is Rule.STOP:
        intent = sold(decision)
        assert (intent.decision, intent.exit_reason, intent.quantity) == (
            Decision.DEMOTE,
            ExitReason.STOP,
            Quantity(10),
        )
        assert intent.decision_price == Price(price)


@pytest.mark.parametrize(
    ("highest", "price", "rule"),
    [
        ("112", "106.4", Rule.TRAILING_STOP),
        ("112", "106.41", Rule.HOLD),
        ("111.99", "106", Rule.HOLD),
    ],
)
def test_the_trail_is_armed_at_twelve_percent_and_fires_five_percent_below_the_highest(
    highest: str, price: str, rule: Rule
) -> None:
    decision = decide(row(holding=held(), price=price, highest_close=Price(highest)))
    assert decision.rule == rule
    if rule is Rule.TRAILING_STOP:
        intent = sold(decision)
        assert (intent.decision, intent.exit_reason) == (Decision.TRAIL, ExitReason.TRAIL)


def test_the_price_of_the_cycle_counts_as_a_highest() -> None:
    risen = decide(row(holding=held(), price=130, highest_close=Price(120)))
    assert risen.planner_state is not None
    assert (risen.planner_state.highest, risen.planner_state.trail_armed) == (Price(130), True)


def test_an_armed_trail_stays_armed_when_an_add_lifts_the_average_entry() -> None:
    armed = planner_state(highest=Price(113), trail_armed=True)
    assert decide(row(holding=held(entry=105), price=107, planner_state=armed)).rule is Rule.TRAILING_STOP
    assert (
        decide(row(holding=held(entry=105), price=107, planner_state=planner_state(highest=Price(113)))).rule
        is Rule.HOLD
    )


def test_the_state_of_an_older_trade_does_not_move_the_stop() -> None:
    older = planner_state(
        trade_no=2, highest=Price(200), trail_armed=True, exit_due=ExitReason.EMERGENCY, exit_due_bar=BAR
    )
    assert decide(row(holding=held(), price=100, planner_state=older)).rule is Rule.HOLD


@pytest.mark.parametrize(("first_fill_at", "rule"), [(OLD, Rule.TIME_STOP), (OLD + timedelta(seconds=1), Rule.HOLD)])
def test_the_time_stop_fires_after_fourteen_days(first_fill_at: datetime, rule: Rule) -> None:
    decision = decide(row(holding=held(first_fill_at=first_fill_at)))
    assert decision.rule == rule
    if rule is Rule.TIME_STOP:
        assert sold(decision).exit_reason is ExitReason.TIME


def test_a_closed_trade_gets_no_older() -> None:
    assert decide(row(holding=closed(first_fill_at=OLD))).evidence.rules_not_fired["time_stop"] == why.FLAT


def test_an_armed_trail_stops_the_time_stop() -> None:
    armed = planner_state(highest=Price(120), trail_armed=True)
    decision = decide(row(holding=held(first_fill_at=OLD), price=118, planner_state=armed))
    assert decision.rule is Rule.HOLD
    assert decision.evidence.rules_not_fired["time_stop"] == why.TRAIL_ARMED


@pytest.mark.parametrize("reason", [ExitReason.TREND_FAILED, ExitReason.TREND_OVER])
@pytest.mark.parametrize("revision", [0, 2])
def test_a_trend_that_ended_on_any_bar_since_the_cursor_ends_the_trade(reason: ExitReason, revision: int) -> None:
    """Even on a revised one, and even when the newest bar looks well again."""
    over = exit_signal(reason, bar_ts=BEFORE, bar_revision=revision)
    decision = decide(row(holding=held(), signals=(over, signal())))
    assert decision.rule is Rule.TREND_END
    assert sold(decision).exit_reason is reason
    assert decision.planner_state is not None
    assert (decision.planner_state.exit_due, decision.planner_state.exit_due_bar) == (reason, BEFORE)


def test_an_emergency_on_any_bar_since_the_cursor_ends_the_trade() -> None:
    emergency = signal(Flag.EMERGENCY_EXIT, bar_ts=BEFORE, state=EngineState.S3)
    decision = decide(row(holding=held(), signals=(emergency, signal())))
    assert (decision.rule, sold(decision).exit_reason) == (Rule.EMERGENCY_EXIT, ExitReason.EMERGENCY)


@pytest.mark.parametrize("emergency_first", [True, False])
def test_the_end_of_a_trend_outranks_an_emergency(emergency_first: bool) -> None:
    first, second = (BEFORE, BAR) if emergency_first else (BAR, BEFORE)
    emergency = signal(Flag.EMERGENCY_EXIT, bar_ts=first, state=EngineState.S3)
    over = exit_signal(ExitReason.TREND_OVER, bar_ts=second)
    folded = tuple(sorted((emergency, over), key=lambda one: one.bar_ts))
    assert decide(row(holding=held(), signals=folded)).rule is Rule.TREND_END


def test_an_exit_stays_due_until_the_row_is_flat() -> None:
    due = planner_state(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    held_on = decide(row(holding=held(), planner_state=due))
    assert held_on.rule is Rule.EMERGENCY_EXIT
    assert held_on.planner_state is not None
    assert held_on.planner_state.exit_due is ExitReason.EMERGENCY
    flat = decide(row(holding=closed(), planner_state=due))
    assert flat.planner_state is not None
    assert flat.planner_state.exit_due is None


@pytest.mark.parametrize(
    ("ended_by", "reason"),
    [
        (None, ExitReason.TREND_FAILED),
        ("trend_failed", ExitReason.TREND_FAILED),
        ("trend_over", ExitReason.TREND_OVER),
    ],
)
def test_holding_in_a_downtrend_makes_an_exit_due_without_a_flag(ended_by: str | None, reason: ExitReason) -> None:
    lost = signal(state=EngineState.S0, ended_by=ended_by)
    for unread in ((lost,), ()):
        decision = decide(row(holding=held(), newest=lost, signals=unread))
        assert (decision.rule, sold(decision).exit_reason) == (Rule.TREND_END, reason)
    assert decide(row(newest=lost, signals=(lost,))).rule is Rule.HOLD
    due = planner_state(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    assert decide(row(holding=held(), newest=lost, signals=(lost,), planner_state=due)).rule is Rule.EMERGENCY_EXIT


FIRED = {
    ExitReason.STOP: (Rule.STOP, row(holding=held(), price=92)),
    ExitReason.TRAIL: (Rule.TRAILING_STOP, row(holding=held(), price=106, highest_close=Price(112))),
    ExitReason.TIME: (Rule.TIME_STOP, row(holding=held(first_fill_at=OLD))),
}
"""The rules that read no flag, and a row on which each fires."""


@pytest.mark.parametrize("reason", FIRED)
def test_a_stop_that_was_not_filled_whole_sells_the_rest_wherever_the_price_went(reason: ExitReason) -> None:
    rule, one = FIRED[reason]
    fired = decide(one)
    assert (fired.rule, sold(fired).exit_reason) == (rule, reason)
    rest = held(quantity=3)
    for price in (None, 104, 150):
        again = decide(row(holding=rest, price=price, planner_state=fired.planner_state))
        assert (again.rule, sold(again).exit_reason, sold(again).quantity) == (rule, reason, rest.quantity)
        assert again.planner_state is not None
        assert again.planner_state.exit_due is reason


@pytest.mark.parametrize("reason", FIRED)
def test_a_stop_stays_due_while_it_waits_for_an_open_sell(reason: ExitReason) -> None:
    rule, one = FIRED[reason]
    waiting = decide(changed(one, open_intents=(open_intent(Side.SELL, IntentStatus.UNKNOWN),)))
    assert (waiting.rule, waiting.intent) == (rule, None)
    assert sold(decide(row(holding=held(), planner_state=waiting.planner_state))).exit_reason is reason


def test_an_earlier_rule_replaces_the_exit_that_is_due_and_a_later_one_does_not() -> None:
    emergency = planner_state(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    stopped = decide(row(holding=held(), price=92, planner_state=emergency))
    assert stopped.planner_state is not None
    assert (stopped.planner_state.exit_due, stopped.planner_state.exit_due_bar) == (ExitReason.STOP, BAR)
    over = decide(
        row(holding=held(), signals=(exit_signal(ExitReason.TREND_OVER),), planner_state=stopped.planner_state)
    )
    assert (over.rule, sold(over).exit_reason) == (Rule.STOP, ExitReason.STOP)


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_an_exit_flag_that_comes_while_a_buy_is_in_flight_is_not_lost(status: IntentStatus) -> None:
    """The row looks flat and the cursor passes the flag; then the buy is booked, or it ends without a fill."""
    emergency = signal(Flag.EMERGENCY_EXIT, state=EngineState.S3)
    buying = open_intent(Side.BUY, status)
    seen = decide(row(holding=closed(), signals=(emergency,), open_intents=(buying,)))
    assert seen.intent is None
    assert seen.planner_state is not None
    later: dict[str, Any] = {"newest": signal(), "signals": (), "planner_state": seen.planner_state}
    booked = decide(row(holding=held(trade_no=4), **later))
    assert (booked.rule, sold(booked).exit_reason) == (Rule.EMERGENCY_EXIT, ExitReason.EMERGENCY)
    failed = decide(row(holding=closed(), **later))
    assert failed.planner_state is not None
    assert failed.planner_state.exit_due is None


@pytest.mark.parametrize(("filled", "due"), [(BAR - timedelta(seconds=1), True), (BAR, False)])
def test_a_bar_of_the_trade_that_is_revised_to_an_emergency_sells(filled: datetime, due: bool) -> None:
    """A bar that was over when the trade began has nothing to say about it."""
    fled = signal(Flag.EMERGENCY_EXIT, state=EngineState.S3, bar_ts=BEFORE, bar_revision=1, restep=1)
    decision = decide(row(holding=held(first_fill_at=filled), newest=signal(), signals=(), revised=(fled,)))
    assert (decision.rule is Rule.EMERGENCY_EXIT) is due


@pytest.mark.parametrize(("planned", "due"), [(BEFORE, True), (BAR, False)])
def test_a_bar_that_is_revised_while_a_buy_is_in_flight_counts_from_its_decision_on(
    planned: datetime, due: bool
) -> None:
    fled = signal(Flag.EMERGENCY_EXIT, state=EngineState.S3, bar_ts=BEFORE, bar_revision=1, restep=1)
    buying = open_intent(Side.BUY, IntentStatus.UNKNOWN, planned=planned)
    decision = decide(row(holding=closed(), newest=signal(), signals=(), revised=(fled,), open_intents=(buying,)))
    assert decision.planner_state is not None
    assert (decision.planner_state.exit_due is ExitReason.EMERGENCY) is due


def test_an_unknown_exit_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="moon"):
        decide(row(holding=held(), signals=(signal(Flag.EXIT_POSITION, exit_reason="moon"),)))


def test_without_a_trusted_price_rules_1_and_2_hold_and_say_so() -> None:
    armed = planner_state(highest=Price(120), trail_armed=True)
    decision = decide(row(holding=held(), price=None, mark=mark(50, source="mark"), planner_state=armed))
    assert (decision.rule, decision.reasons, decision.intent) == (Rule.BLOCKED, (why.NO_TRUSTED_PRICE,), None)
    assert (
        decision.evidence.rules_not_fired["stop"]
        == decision.evidence.rules_not_fired["trailing_stop"]
        == why.NO_TRUSTED_PRICE
    )


@pytest.mark.parametrize(
    ("rule", "due"),
    [
        (Rule.TIME_STOP, None),
        (Rule.TREND_END, ExitReason.TREND_OVER),
        (Rule.EMERGENCY_EXIT, ExitReason.EMERGENCY),
    ],
)
def test_without_a_trusted_price_rules_3_to_5_still_fire_at_the_last_known_one(
    rule: Rule, due: ExitReason | None
) -> None:
    decision = decide(
        row(
            holding=held(first_fill_at=OLD if rule is Rule.TIME_STOP else BAR),
            price=None,
            mark=mark(97, timedelta(minutes=2), "mark"),
            planner_state=planner_state(exit_due=due, exit_due_bar=due and BEFORE),
        )
    )
    assert (decision.rule, sold(decision).decision_price) == (rule, Price(100))
    assert decision.evidence.inputs["price_trusted"] == "no"
    assert decision.evidence.inputs["price_source"].startswith("close 15m")


def test_the_last_known_price_is_the_newer_of_mark_and_close_or_else_what_was_paid() -> None:
    due = planner_state(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    marked = decide(row(holding=held(), price=None, mark=mark(97, timedelta(seconds=-3), "mark"), planner_state=due))
    assert sold(marked).decision_price == Price(97)
    nothing = decide(row(holding=held(entry=88), price=None, mark=None, newest=None, signals=(), planner_state=due))
    assert sold(nothing).decision_price == Price(88)
    assert nothing.evidence.inputs["price_source"] == "average entry"
    assert sold(nothing).source_bar == BAR


def test_a_trim_sells_a_part_in_lots() -> None:
    decision = decide(row(Flag.TRIM_FLAG, holding=held(quantity="10.0005", entry=90)))
    intent = sold(decision)
    assert (decision.rule, intent.decision, intent.exit_reason) == (Rule.TRIM, Decision.TRIM, None)
    assert intent.quantity is not None
    assert Quantity(2) < intent.quantity < Quantity(3)
    assert intent.quantity == intent.quantity.in_lots(Quantity("0.001"))


def trim_after(bars: int, level: datetime, newest: Signal | None = None) -> RowDecision:
    """A history with a trim of this trade this many bars before, at that level."""
    past = TradeHistory(last_trim=LastTrim(bar_count=1000 - bars, level_id=level))
    return decide(row(holding=held(entry=90), signals=(newest or signal(Flag.TRIM_FLAG),), history=past))


def held_back_from_trim(decision: RowDecision) -> str:
    """Why rule 6 does not fire; the flag blocks entries in any case."""
    assert (decision.rule, decision.reasons, decision.intent) == (Rule.BLOCKED, (why.TRIM_FLAG,), None)
    return decision.evidence.rules_not_fired["trim"]


def test_trims_wait_three_bars_and_for_another_level() -> None:
    assert trim_after(3, OLD_LEVEL).rule is Rule.TRIM
    assert held_back_from_trim(trim_after(2, OLD_LEVEL)) == why.TRIMMED_LATELY
    assert held_back_from_trim(trim_after(30, NEW_LEVEL)) == why.TRIMMED_AT_LEVEL


@pytest.mark.parametrize(("bars", "trims"), [(5, False), (6, True)])
def test_a_trim_waits_six_bars_after_a_buy(bars: int, trims: bool) -> None:
    past = TradeHistory(last_buy_bar=1000 - bars)
    decision = decide(row(Flag.TRIM_FLAG, holding=held(entry=90), history=past))
    assert (decision.intent is not None) is trims
    assert trims or held_back_from_trim(decision) == why.BOUGHT_LATELY


@pytest.mark.parametrize(("entry", "trims"), [("96", True), ("96.01", False), ("101", False)])
def test_a_trim_waits_until_the_price_is_an_atr_above_the_average_entry(entry: str, trims: bool) -> None:
    decision = decide(row(Flag.TRIM_FLAG, holding=held(entry=entry)))
    assert (decision.intent is not None) is trims
    assert trims or held_back_from_trim(decision) == why.TOO_NEAR_ENTRY


def test_the_level_of_a_trim_is_the_nearest_to_the_close_and_of_two_the_older() -> None:
    nearer_old = changed(LEVELS[0], price=100.5), LEVELS[1]
    nearer = trim_after(30, OLD_LEVEL, signal(Flag.TRIM_FLAG, levels=nearer_old))
    assert held_back_from_trim(nearer) == why.TRIMMED_AT_LEVEL
    as_near = LEVELS[1], changed(LEVELS[0], price=99.0)
    assert (
        held_back_from_trim(trim_after(30, OLD_LEVEL, signal(Flag.TRIM_FLAG, levels=as_near))) == why.TRIMMED_AT_LEVEL
    )
    no_levels = row(holding=held(), signals=(signal(Flag.TRIM_FLAG, levels=()),))
    assert held_back_from_trim(decide(no_levels)) == why.NO_LEVEL


def test_a_trim_names_its_level_for_the_next_one() -> None:
    intent = sold(decide(row(Flag.TRIM_FLAG, holding=held(entry=90))))
    assert (intent.level_id, intent.bar_count) == (NEW_LEVEL, 1000)


def test_a_flat_row_trims_nothing_and_needs_no_level() -> None:
    assert held_back_from_trim(decide(row(Flag.TRIM_FLAG))) == why.FLAT


def test_block_all_stops_trims_and_block_entries_does_not() -> None:
    holding = held(entry=90)
    blocked = decide(row(Flag.TRIM_FLAG, holding=holding, block_all=("candle",)))
    assert (blocked.rule, blocked.reasons) == (Rule.BLOCKED, (why.TRIM_FLAG, "block_all:candle"))
    assert decide(row(Flag.TRIM_FLAG, holding=holding, block_entries=("outage",))).rule is Rule.TRIM
    assert decide(row(Flag.TRIM_FLAG, holding=holding, desired_status=DesiredStatus.PAUSED)).rule is Rule.TRIM


def test_a_revised_bar_may_trim() -> None:
    assert decide(row(holding=held(entry=90), signals=(signal(Flag.TRIM_FLAG, bar_revision=1),))).rule is Rule.TRIM


def test_earlier_rules_come_first() -> None:
    """Everything at once: each rule fires when those before it no longer do."""
    everything = row(
        Flag.TRIM_FLAG,
        holding=held(first_fill_at=OLD),
        price=92,
        planner_state=planner_state(exit_due=ExitReason.TREND_OVER, exit_due_bar=BAR),
    )
    assert decide(everything).rule is Rule.STOP
    above_stop = changed(everything, price=mark(100))
    assert decide(above_stop).rule is Rule.TIME_STOP
    armed = changed(above_stop, highest_close=Price(112))
    assert decide(armed).rule is Rule.TRAILING_STOP
    risen = changed(armed, price=mark(110))
    assert decide(risen).rule is Rule.TREND_END
    emergency = changed(risen, planner_state=planner_state(exit_due=ExitReason.EMERGENCY, exit_due_bar=BAR))
    assert decide(emergency).rule is Rule.EMERGENCY_EXIT


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_an_exit_cancels_planned_entries_and_waits_for_no_other_buy(status: IntentStatus) -> None:
    buying = open_intent(Side.BUY, status)
    decision = decide(row(holding=held(), price=92, open_intents=(buying,)))
    assert sold(decision).exit_reason is ExitReason.STOP
    assert decision.cancels == ((buying.intent_id,) if status is IntentStatus.PLANNED else ())


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_an_exit_waits_for_an_open_sell_and_names_it(status: IntentStatus) -> None:
    selling, buying = open_intent(Side.SELL, status), open_intent(Side.BUY, IntentStatus.PLANNED, number=2)
    decision = decide(row(holding=held(), price=92, open_intents=(selling, buying)))
    assert (decision.rule, decision.intent) == (Rule.STOP, None)
    assert decision.reasons == ("stop", why.WAITS_FOR_OPEN_EXIT)
    assert decision.cancels == (buying.intent_id,)


def test_a_trim_waits_for_an_open_sell_as_rule_7() -> None:
    selling = open_intent(Side.SELL, IntentStatus.UNKNOWN)
    decision = decide(row(Flag.TRIM_FLAG, holding=held(entry=90), open_intents=(selling,)))
    assert (decision.rule, decision.reasons) == (Rule.BLOCKED, (why.TRIM_FLAG, why.OPEN_EXIT))
    assert decision.evidence.rules_not_fired["trim"] == why.OPEN_EXIT
