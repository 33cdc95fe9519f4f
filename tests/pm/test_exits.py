"""Rules 1 to 6, each at its edge: what fires, and its closest neighbour that does not."""

from datetime import datetime, timedelta

import pytest

from strandline.model.exact import Price, Quantity
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, IntentStatus
from strandline.model.position import DesiredStatus
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag, Signal
from strandline.pm import reasons as why
from strandline.pm.decisions import Decided
from strandline.pm.inputs import LastTrim, Past
from tests.pm.build import (
    BAR,
    LEVELS,
    NEW_LEVEL,
    OLD_LEVEL,
    T,
    an_open,
    changed,
    decide,
    exit_signal,
    held,
    known,
    memory,
    row,
    signal,
)

OLD = T - timedelta(days=14)
BEFORE = BAR - timedelta(minutes=15)


def sold(decided: Decided) -> ExecutionIntent:
    """The intent, which must be there."""
    assert decided.intent is not None
    assert decided.intent.side is Side.SELL
    return decided.intent


@pytest.mark.parametrize(("price", "rule"), [("92", 1), ("91.99", 1), ("92.01", 12)])
def test_the_stop_fires_at_eight_percent_below_the_average_entry(price: str, rule: int) -> None:
    decided = decide(row(holding=held(entry=100), price=price))
    assert decided.rule == rule
    if rule == 1:
        intent = sold(decided)
        assert (intent.decision, intent.exit_reason, intent.quantity) == (
            Decision.DEMOTE,
            ExitReason.STOP,
            Quantity(10),
        )
        assert intent.decision_price == Price(price)


@pytest.mark.parametrize(
    ("highest", "price", "rule"), [("112", "106.4", 2), ("112", "106.41", 12), ("111.99", "106", 12)]
)
def test_the_trail_is_armed_at_twelve_percent_and_fires_five_percent_below_the_highest(
    highest: str, price: str, rule: int
) -> None:
    decided = decide(row(holding=held(), price=price, highest_close=Price(highest)))
    assert decided.rule == rule
    if rule == 2:
        intent = sold(decided)
        assert (intent.decision, intent.exit_reason) == (Decision.TRAIL, ExitReason.TRAIL)


def test_the_price_of_the_cycle_counts_as_a_highest() -> None:
    risen = decide(row(holding=held(), price=130, highest_close=Price(120)))
    assert risen.memory is not None
    assert (risen.memory.highest, risen.memory.trail_armed) == (Price(130), True)


def test_an_armed_trail_stays_armed_when_an_add_lifts_the_average_entry() -> None:
    armed = memory(highest=Price(113), trail_armed=True)
    assert decide(row(holding=held(entry=105), price=107, memory=armed)).rule == 2
    assert decide(row(holding=held(entry=105), price=107, memory=memory(highest=Price(113)))).rule == 12


def test_what_was_of_an_older_trade_moves_no_stop() -> None:
    older = memory(trade_no=2, highest=Price(200), trail_armed=True, exit_due=ExitReason.EMERGENCY, exit_due_bar=BAR)
    assert decide(row(holding=held(), price=100, memory=older)).rule == 12


@pytest.mark.parametrize(("first_fill_at", "rule"), [(OLD, 3), (OLD + timedelta(seconds=1), 12)])
def test_time_is_up_after_fourteen_days(first_fill_at: datetime, rule: int) -> None:
    decided = decide(row(holding=held(first_fill_at=first_fill_at)))
    assert decided.rule == rule
    if rule == 3:
        assert sold(decided).exit_reason is ExitReason.TIME


def test_a_closed_trade_gets_no_older() -> None:
    closed = changed(held(first_fill_at=OLD), quantity=Quantity(0), average_entry=None)
    assert decide(row(holding=closed)).evidence.rules_not_fired["3"] == why.FLAT


def test_an_armed_trail_outlives_the_time() -> None:
    armed = memory(highest=Price(120), trail_armed=True)
    decided = decide(row(holding=held(first_fill_at=OLD), price=118, memory=armed))
    assert decided.rule == 12
    assert decided.evidence.rules_not_fired["3"] == why.TRAIL_ARMED


@pytest.mark.parametrize("reason", [ExitReason.TREND_FAILED, ExitReason.TREND_OVER])
@pytest.mark.parametrize("revision", [0, 2])
def test_a_trend_that_ended_on_any_bar_since_the_cursor_ends_the_trade(reason: ExitReason, revision: int) -> None:
    """Even on a revised one, and even when the newest bar looks well again."""
    over = exit_signal(reason, bar_ts=BEFORE, bar_revision=revision)
    decided = decide(row(holding=held(), signals=(over, signal())))
    assert decided.rule == 4
    assert sold(decided).exit_reason is reason
    assert decided.memory is not None
    assert (decided.memory.exit_due, decided.memory.exit_due_bar) == (reason, BEFORE)


def test_an_emergency_on_any_bar_since_the_cursor_ends_the_trade() -> None:
    emergency = signal(Flag.EMERGENCY_EXIT, bar_ts=BEFORE, state=EngineState.S3)
    decided = decide(row(holding=held(), signals=(emergency, signal())))
    assert (decided.rule, sold(decided).exit_reason) == (5, ExitReason.EMERGENCY)


@pytest.mark.parametrize("emergency_first", [True, False])
def test_the_end_of_a_trend_outranks_an_emergency(emergency_first: bool) -> None:
    first, second = (BEFORE, BAR) if emergency_first else (BAR, BEFORE)
    emergency = signal(Flag.EMERGENCY_EXIT, bar_ts=first, state=EngineState.S3)
    over = exit_signal(ExitReason.TREND_OVER, bar_ts=second)
    folded = tuple(sorted((emergency, over), key=lambda one: one.bar_ts))
    assert decide(row(holding=held(), signals=folded)).rule == 4


def test_an_exit_stays_due_until_the_row_is_flat() -> None:
    due = memory(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    held_on = decide(row(holding=held(), memory=due))
    assert held_on.rule == 5
    assert held_on.memory is not None
    assert held_on.memory.exit_due is ExitReason.EMERGENCY
    flat = decide(row(holding=changed(held(), quantity=Quantity(0), average_entry=None), memory=due))
    assert flat.memory is not None
    assert flat.memory.exit_due is None


@pytest.mark.parametrize(("trend_id", "reason"), [(None, ExitReason.TREND_FAILED), (OLD, ExitReason.TREND_OVER)])
def test_holding_in_a_downtrend_makes_an_exit_due_without_a_flag(trend_id: datetime | None, reason: ExitReason) -> None:
    lost = signal(state=EngineState.S0, trend_id=trend_id)
    for unread in ((lost,), ()):
        decided = decide(row(holding=held(), newest=lost, signals=unread))
        assert (decided.rule, sold(decided).exit_reason) == (4, reason)
    assert decide(row(newest=lost, signals=(lost,))).rule == 12
    due = memory(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    assert decide(row(holding=held(), newest=lost, signals=(lost,), memory=due)).rule == 5


def test_an_unknown_exit_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="moon"):
        decide(row(holding=held(), signals=(signal(Flag.EXIT_POSITION, exit_reason="moon"),)))


def test_without_a_trusted_price_rules_1_and_2_hold_and_say_so() -> None:
    armed = memory(highest=Price(120), trail_armed=True)
    decided = decide(row(holding=held(), price=None, mark=known(50, source="mark"), memory=armed))
    assert (decided.rule, decided.reasons, decided.intent) == (7, (why.NO_TRUSTED_PRICE,), None)
    assert decided.evidence.rules_not_fired["1"] == decided.evidence.rules_not_fired["2"] == why.NO_TRUSTED_PRICE


@pytest.mark.parametrize(("rule", "due"), [(3, None), (4, ExitReason.TREND_OVER), (5, ExitReason.EMERGENCY)])
def test_without_a_trusted_price_rules_3_to_5_still_fire_at_the_last_known_one(
    rule: int, due: ExitReason | None
) -> None:
    decided = decide(
        row(
            holding=held(first_fill_at=OLD if rule == 3 else BAR),
            price=None,
            mark=known(97, timedelta(minutes=2), "mark"),
            memory=memory(exit_due=due, exit_due_bar=due and BEFORE),
        )
    )
    assert (decided.rule, sold(decided).decision_price) == (rule, Price(100))
    assert decided.evidence.inputs["price_trusted"] == "no"
    assert decided.evidence.inputs["price_source"].startswith("close 15m")


def test_the_last_known_price_is_the_newer_of_mark_and_close_or_else_what_was_paid() -> None:
    due = memory(exit_due=ExitReason.EMERGENCY, exit_due_bar=BEFORE)
    marked = decide(row(holding=held(), price=None, mark=known(97, timedelta(seconds=-3), "mark"), memory=due))
    assert sold(marked).decision_price == Price(97)
    nothing = decide(row(holding=held(entry=88), price=None, mark=None, newest=None, signals=(), memory=due))
    assert sold(nothing).decision_price == Price(88)
    assert nothing.evidence.inputs["price_source"] == "average entry"
    assert sold(nothing).source_bar == BAR


def test_a_trim_sells_a_part_in_lots() -> None:
    decided = decide(row(Flag.TRIM_FLAG, holding=held(quantity="10.0005")))
    intent = sold(decided)
    assert (decided.rule, intent.decision, intent.exit_reason) == (6, Decision.TRIM, None)
    assert intent.quantity is not None
    assert Quantity(2) < intent.quantity < Quantity(3)
    assert intent.quantity == intent.quantity.in_lots(Quantity("0.001"))


def trim_after(bars: int, level: datetime, newest: Signal | None = None) -> Decided:
    """With a trim of this trade so many bars before, at that level."""
    past = Past(last_trim=LastTrim(bar_count=1000 - bars, level_id=level))
    return decide(row(holding=held(), signals=(newest or signal(Flag.TRIM_FLAG),), past=past))


def test_trims_wait_three_bars_and_for_another_level() -> None:
    assert trim_after(3, OLD_LEVEL).rule == 6
    assert trim_after(2, OLD_LEVEL).reasons == (why.TRIMMED_LATELY,)
    assert trim_after(30, NEW_LEVEL).reasons == (why.TRIMMED_AT_LEVEL,)


def test_the_level_of_a_trim_is_the_nearest_to_the_close_and_of_two_the_older() -> None:
    nearer_old = changed(LEVELS[0], price=100.5), LEVELS[1]
    assert trim_after(30, OLD_LEVEL, signal(Flag.TRIM_FLAG, levels=nearer_old)).reasons == (why.TRIMMED_AT_LEVEL,)
    as_near = LEVELS[1], changed(LEVELS[0], price=99.0)
    assert trim_after(30, OLD_LEVEL, signal(Flag.TRIM_FLAG, levels=as_near)).reasons == (why.TRIMMED_AT_LEVEL,)
    assert decide(row(holding=held(), signals=(signal(Flag.TRIM_FLAG, levels=()),))).reasons == (why.NO_LEVEL,)


def test_a_trim_names_its_level_for_the_next_one() -> None:
    inputs = decide(row(Flag.TRIM_FLAG, holding=held())).evidence.inputs
    assert (inputs["level_id"], inputs["bar_count"]) == (NEW_LEVEL.isoformat(), "1000")


def test_a_flat_row_trims_nothing_and_needs_no_level() -> None:
    assert decide(row(Flag.TRIM_FLAG)).reasons == (why.NOTHING_TO_DO,)


def test_block_all_stops_trims_and_block_entries_does_not() -> None:
    blocked = decide(row(Flag.TRIM_FLAG, holding=held(), block_all=("candle",)))
    assert (blocked.rule, blocked.reasons) == (7, ("block_all:candle",))
    assert decide(row(Flag.TRIM_FLAG, holding=held(), block_entries=("outage",))).rule == 6
    assert decide(row(Flag.TRIM_FLAG, holding=held(), desired_status=DesiredStatus.PAUSED)).rule == 6


def test_a_revised_bar_may_trim() -> None:
    assert decide(row(holding=held(), signals=(signal(Flag.TRIM_FLAG, bar_revision=1),))).rule == 6


def test_earlier_rules_come_first() -> None:
    """Everything at once: each rule fires when those before it no longer do."""
    everything = row(
        Flag.TRIM_FLAG,
        holding=held(first_fill_at=OLD),
        price=92,
        memory=memory(exit_due=ExitReason.TREND_OVER, exit_due_bar=BAR),
    )
    assert decide(everything).rule == 1
    above_stop = changed(everything, price=known(100))
    assert decide(above_stop).rule == 3
    armed = changed(above_stop, highest_close=Price(112))
    assert decide(armed).rule == 2
    risen = changed(armed, price=known(110))
    assert decide(risen).rule == 4
    emergency = changed(risen, memory=memory(exit_due=ExitReason.EMERGENCY, exit_due_bar=BAR))
    assert decide(emergency).rule == 5


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_an_exit_calls_off_what_is_planned_and_minds_no_other_buy(status: IntentStatus) -> None:
    buying = an_open(Side.BUY, status)
    decided = decide(row(holding=held(), price=92, open_intents=(buying,)))
    assert sold(decided).exit_reason is ExitReason.STOP
    assert decided.cancels == ((buying.intent_id,) if status is IntentStatus.PLANNED else ())


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_an_exit_waits_for_an_open_sell_and_names_it(status: IntentStatus) -> None:
    selling, buying = an_open(Side.SELL, status), an_open(Side.BUY, IntentStatus.PLANNED, number=2)
    decided = decide(row(holding=held(), price=92, open_intents=(selling, buying)))
    assert (decided.rule, decided.intent) == (1, None)
    assert decided.reasons == ("stop", why.WAITS_FOR_OPEN_EXIT)
    assert decided.cancels == (buying.intent_id,)


def test_a_trim_waits_for_an_open_sell_as_rule_7() -> None:
    decided = decide(row(Flag.TRIM_FLAG, holding=held(), open_intents=(an_open(Side.SELL, IntentStatus.UNKNOWN),)))
    assert (decided.rule, decided.reasons) == (7, (why.OPEN_EXIT,))
    assert decided.evidence.rules_not_fired["6"] == why.OPEN_EXIT
