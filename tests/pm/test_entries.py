"""Rules 8 to 11, when a flag counts, and what an entry takes."""

from datetime import datetime, timedelta

import pytest

from strandline.model.exact import Money, Price, Quantity
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag, Signal
from strandline.model.timeframe import Timeframe
from strandline.pm import reasons as why
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import RowInputs, Rung, TradeHistory
from tests.pm.sample_inputs import BAR, T, changed, closed, decide, held, mark, planner_state, row, signal

ATTEMPT = VISIT = T - timedelta(hours=5)
TREND = T - timedelta(days=2)


def bought(decision: RowDecision) -> ExecutionIntent:
    """The intent, which must be there."""
    assert decision.intent is not None
    assert (decision.intent.side, decision.intent.decision) == (Side.BUY, Decision.ADD)
    return decision.intent


def in_s2(**special: object) -> Signal:
    """At E333, worth a buy."""
    return signal(Flag.BUY_FLAG, state=EngineState.S2, **special)


def first_dip(**special: object) -> Signal:
    """The first dip of a trend."""
    return signal(Flag.FIRST_DIP_BUY_FLAG, **{"state": EngineState.S3, "trend_id": TREND} | special)


def deep_dip(**special: object) -> Signal:
    """A deep dip of a trend."""
    return signal(Flag.BUY_FLAG, **{"state": EngineState.S3, "trend_id": TREND} | special)


def reclaimed(**special: object) -> Signal:
    """Back above E333 after an emergency."""
    return signal(Flag.RECLAIMED_EMA333, **{"state": EngineState.S3, "trend_id": TREND} | special)


FLED = TradeHistory(trends_fled=(TREND,))


def rungs(*prices: str, trend: datetime = TREND) -> TradeHistory:
    """A ladder with these rungs."""
    return TradeHistory(ladder=tuple(Rung(trend_id=trend, price=Price(price)) for price in prices))


def added(decision: RowDecision) -> ExecutionIntent:
    """The intent of an add to a trend, which must be there."""
    assert decision.intent is not None
    assert (decision.intent.side, decision.intent.decision) == (Side.BUY, Decision.TREND_ADD)
    return decision.intent


def test_a_rung_takes_a_fifth_of_the_whole_allocation_times_a() -> None:
    """Of 5,000 with A = 0.5; of what is held nothing is taken off as long as enough remains."""
    for holding in (None, held()):
        intent = added(decide(row(signals=(deep_dip(),), holding=holding)))
        assert (intent.rule, intent.notional, str(intent.size_frac)) == (Rule.LADDER, Money(500), "0.1")
    almost_full = added(decide(row(signals=(deep_dip(),), holding=held(quantity=47))))
    assert almost_full.notional == Money(300)


def test_a_ladder_has_three_rungs_in_each_trend() -> None:
    full = decide(row(signals=(deep_dip(),), history=rungs("120", "115", "110")))
    assert (full.rule, full.reasons, full.intent) == (Rule.HOLD, (why.LADDER_FULL,), None)
    added(decide(row(signals=(deep_dip(),), history=rungs("120", "115"))))
    added(decide(row(signals=(deep_dip(),), history=rungs("120", "115", "110", trend=VISIT))))


@pytest.mark.parametrize(
    ("ema144", "last", "adds"),
    [(110.0, "104", True), (110.0, "103.99", False), (135.0, "106", True), (135.0, "105.99", False)],
)
def test_a_rung_lies_an_atr_or_a_part_of_the_band_below_the_last_one(ema144: float, last: str, adds: bool) -> None:
    """The band from E333 at 95 to E144: 0.15 of 15 is less than the ATR of 4, 0.15 of 40 more."""
    numbers = {"close": 100.0, "atr": 4.0, "ema144": ema144, "ema333": 95.0}
    decision = decide(row(signals=(deep_dip(indicators=numbers),), history=rungs("90", last)))
    assert (decision.intent is not None) is adds
    assert adds or decision.reasons == (why.TOO_NEAR_RUNG,)


def test_a_reclaim_buys_half_of_a_first_buy_once_after_an_emergency_of_this_trend_sold() -> None:
    intent = added(decide(row(signals=(reclaimed(),), history=FLED)))
    assert (intent.rule, intent.notional, str(intent.size_frac)) == (Rule.RECLAIM, Money(1125), "0.225")
    for history, reason in (
        (TradeHistory(), why.NOT_FLED),
        (TradeHistory(trends_fled=(VISIT,)), why.NOT_FLED),
        (changed(FLED, trends_reclaimed=(TREND,)), why.TREND_RECLAIMED),
    ):
        decision = decide(row(signals=(reclaimed(),), history=history))
        assert (decision.rule, decision.reasons, decision.intent) == (Rule.HOLD, (reason,), None)
    added(decide(row(signals=(reclaimed(),), history=changed(FLED, trends_reclaimed=(VISIT,)))))


def test_what_names_no_trend_adds_nothing() -> None:
    assert decide(row(signals=(deep_dip(trend_id=None),))).reasons == (why.NO_TREND,)
    assert decide(row(signals=(reclaimed(trend_id=None),), history=FLED)).reasons == (why.NOT_FLED,)


def test_a_buy_signal_takes_f_of_a_of_what_remains() -> None:
    intent = bought(decide(row(Flag.BUY_SIGNAL)))
    assert (intent.rule, intent.notional, str(intent.size_frac)) == (Rule.FIRST_BUY, Money(2250), "0.45")


@pytest.mark.parametrize(("newest", "rule"), [(in_s2(), Rule.S2_BUY), (first_dip(), Rule.FIRST_DIP)])
def test_s2_buys_and_first_dips_take_half_of_a_first_buy(newest: Signal, rule: Rule) -> None:
    intent = bought(decide(row(signals=(newest,))))
    assert (intent.rule, intent.notional, str(intent.size_frac)) == (rule, Money(1125), "0.225")


def test_a_buy_signal_while_holding_is_already_positioned() -> None:
    decision = decide(row(Flag.BUY_SIGNAL, holding=held()))
    assert (decision.rule, decision.reasons, decision.intent) == (Rule.HOLD, (why.ALREADY_POSITIONED,), None)


@pytest.mark.parametrize("newest", [in_s2(), first_dip()])
def test_rule_9_adds_to_what_is_held_as_the_same_trade(newest: Signal) -> None:
    intent = bought(decide(row(holding=held(), signals=(newest,))))
    assert (intent.trade_no, intent.notional) == (3, Money(900))
    assert bought(decide(row(signals=(newest,), holding=None))).trade_no == 1


@pytest.mark.parametrize(
    ("newest", "history", "reason"),
    [
        (signal(Flag.BUY_SIGNAL), TradeHistory(attempts_bought=(ATTEMPT,)), why.ATTEMPT_BOUGHT),
        (in_s2(), TradeHistory(s2_visits_bought=(VISIT,)), why.VISIT_BOUGHT),
        (first_dip(), TradeHistory(trends_dipped=(TREND,)), why.TREND_DIPPED),
    ],
)
def test_what_was_filled_once_is_not_bought_again_and_another_one_is(
    newest: Signal, history: TradeHistory, reason: str
) -> None:
    again = decide(row(signals=(newest,), history=history))
    assert (again.rule, again.reasons, again.intent) == (Rule.HOLD, (reason,), None)
    later = T - timedelta(hours=1)
    other = changed(newest, attempt_id=later, state_since=later, trend_id=later)
    bought(decide(row(signals=(other,), history=history)))


def test_what_cannot_be_counted_is_not_bought() -> None:
    assert decide(row(signals=(signal(Flag.BUY_SIGNAL, attempt_id=None),))).reasons == (why.NO_ATTEMPT,)
    assert decide(row(signals=(first_dip(trend_id=None),))).reasons == (why.NO_TREND,)


@pytest.mark.parametrize("state", [EngineState.S0, EngineState.S1, EngineState.S4])
def test_a_buy_flag_outside_of_s2_and_s3_buys_nothing(state: EngineState) -> None:
    assert decide(row(signals=(signal(Flag.BUY_FLAG, state=state),))).intent is None


@pytest.mark.parametrize(
    ("timeframe", "life"),
    [
        (Timeframe.M5, timedelta(minutes=5)),
        (Timeframe.M15, timedelta(minutes=15)),
        (Timeframe.D1, timedelta(minutes=15)),
    ],
)
def test_a_flag_is_valid_for_the_length_of_its_bar_up_to_fifteen_minutes(timeframe: Timeframe, life: timedelta) -> None:
    bar = timeframe.last_final(T)
    end = bar + timeframe.length
    one = row(
        signals=(signal(Flag.BUY_SIGNAL, timeframe=timeframe, bar_ts=bar),), timeframe=timeframe, planner_state=None
    )
    bought(decide(one, cycle=end + life - timedelta(seconds=1)))
    over = decide(one, cycle=end + life)
    assert (over.rule, over.reasons) == (Rule.HOLD, (why.FLAG_EXPIRED,))


@pytest.mark.parametrize(("price", "counts"), [("102", True), ("98", True), ("102.01", False), ("97.99", False)])
def test_a_flag_counts_while_the_price_is_within_half_an_atr_of_the_close(price: str, counts: bool) -> None:
    for flag, rule, holding in ((Flag.BUY_SIGNAL, "first_buy", None), (Flag.TRIM_FLAG, "trim", held(entry=90))):
        decision = decide(row(flag, price=price, holding=holding))
        assert (decision.intent is not None) is counts
        assert counts or decision.evidence.rules_not_fired.get(rule, why.FLAG_EXPIRED) == why.FLAG_EXPIRED


def test_a_flag_of_an_older_bar_has_expired() -> None:
    older = signal(Flag.BUY_SIGNAL, bar_ts=BAR - timedelta(minutes=15))
    assert decide(row(signals=(older, signal()))).reasons == (why.FLAG_EXPIRED,)
    overtaken = row(signals=(signal(Flag.BUY_SIGNAL),), newest=signal(bar_revision=1))
    assert decide(overtaken).reasons == (why.FLAG_EXPIRED,)


def test_a_revised_bar_never_buys() -> None:
    for again in ({"bar_revision": 1}, {"restep": 1}):
        newest_ones = signal(Flag.BUY_SIGNAL, **again), in_s2(**again), first_dip(**again)
        assert {decide(row(signals=(one,))).reasons for one in newest_ones} == {(why.BAR_REVISED,)}
    withdrawn = signal(Flag.BUY_SIGNAL), signal(bar_revision=1)
    assert decide(row(signals=withdrawn)).reasons == (why.FLAG_EXPIRED,)


def test_a_missing_indicator_raises() -> None:
    with pytest.raises(KeyError, match="atr"):
        decide(row(signals=(signal(Flag.BUY_SIGNAL, indicators={"close": 100.0}),)))


def test_a_flag_that_was_read_does_not_count_again() -> None:
    newest = signal(Flag.BUY_SIGNAL)
    read = row(newest=newest, signals=(), planner_state=planner_state(bar_ts=BAR, trade_no=0))
    assert decide(read).reasons == (why.NOTHING_TO_DO,)


def remaining(notional: str, one: RowInputs) -> RowInputs:
    """The row with an allocation of 5,000 of which all but this much is used."""
    used = (Money(5000) - Money(notional)).buys(Price(100), Quantity("0.01"))
    return changed(one, position=changed(one.position, holding=held(quantity=str(used))))


def test_an_entry_needs_three_minimum_notionals() -> None:
    """f(A) is 0.225 here: 134 gives 30.15, 133 gives 29.92."""
    assert bought(decide(remaining("134", row(signals=(in_s2(),))))).notional == Money("30.15")
    assert decide(remaining("133", row(signals=(in_s2(),)))).reasons == (why.BELOW_MINIMUM,)


def test_an_entry_needs_one_lot() -> None:
    assert decide(row(Flag.BUY_SIGNAL, lot="22.5")).intent is not None
    assert decide(row(Flag.BUY_SIGNAL, lot="22.501")).reasons == (why.BELOW_MINIMUM,)


def test_a_row_that_holds_its_allocation_adds_nothing() -> None:
    """Even without any minimum."""
    full = row(signals=(in_s2(),), holding=held(quantity=50), min_notional="0", lot="0.00000001")
    assert decide(full).reasons == (why.BELOW_MINIMUM,)


def test_the_allocation_is_the_rows_share_of_the_tokens_weights() -> None:
    one = row(Flag.BUY_SIGNAL, weight="0.4")
    others = [row(timeframe=Timeframe.H4, weight="0.25", newest=None, signals=()), row(token="ETH", weight="9")]
    assert decide(one, *others).evidence.inputs["allocation"] == "3076.92"
    assert decide(one).evidence.inputs["allocation"] == "5000"
    weightless = decide(row(Flag.BUY_SIGNAL, weight="0"))
    assert (weightless.evidence.inputs["allocation"], weightless.reasons) == ("0", (why.BELOW_MINIMUM,))


def test_what_remains_is_counted_at_cost() -> None:
    """A fall of the price makes no room."""
    one = row(signals=(in_s2(),), holding=held(quantity=30), price=98, mark=mark(98))
    assert decide(one).evidence.inputs["remaining"] == "2000"


@pytest.mark.parametrize("now", [T, T + timedelta(minutes=5)])
def test_a_bar_gives_one_id_per_row_trade_and_rule(now: datetime) -> None:
    intent = bought(decide(row(Flag.BUY_SIGNAL), cycle=now))
    assert intent.intent_id == bought(decide(row(Flag.BUY_SIGNAL, price=99))).intent_id
    others = [
        row(Flag.BUY_SIGNAL, token="ETH"),
        row(signals=(in_s2(),)),
        row(Flag.BUY_SIGNAL, holding=closed()),
        row(signals=(signal(Flag.BUY_SIGNAL, bar_ts=BAR - timedelta(minutes=5)),)),
    ]
    assert intent.intent_id not in {bought(decide(one)).intent_id for one in others}


def test_an_entry_expires_after_five_minutes_and_may_slip_half_a_percent() -> None:
    intent = bought(decide(row(Flag.BUY_SIGNAL)))
    assert intent.expires_at == T + timedelta(seconds=300)
    assert (intent.max_slippage_bps, intent.reduce_only, intent.quantity) == (50, False, None)
    assert (intent.source_bar, intent.decision_price) == (BAR, Price(100))


def test_an_entry_names_what_later_cycles_count() -> None:
    assert bought(decide(row(Flag.BUY_SIGNAL))).attempt_id == ATTEMPT
    assert bought(decide(row(signals=(in_s2(),)))).state_since == VISIT
    assert bought(decide(row(signals=(first_dip(),)))).trend_id == TREND
