"""What a plan reads of each table: which price, mark, signal, finding and intent counts, and which does not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from strandline.configuration import make_settings
from strandline.model.exact import Money, Price
from strandline.model.intent import ExitReason
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.pm.inputs import LastLoss, LastTrim, PlannerState
from tests.cycle.planning_database import (
    ATTEMPT,
    BAR,
    CLOSE,
    EARLIER,
    LATER,
    MARK,
    MINUTE,
    POSITION,
    PlanningDatabase,
    T,
)

LENGTH = timedelta(minutes=15)


def withhold(planning: PlanningDatabase, *minutes: datetime, severity: str = "block_all") -> None:
    """Let the gate find fault with these 1m bars."""
    for suite, minute in zip(("ticks", "bars", "rows"), minutes, strict=False):
        planning.add_finding(severity, suite, instrument_id=1, timeframe="1m", ts=minute)


# P


@pytest.mark.parametrize(
    ("bars", "price"),
    [
        ({}, CLOSE),
        ({T: 150.0}, CLOSE),
        ({T - 2 * MINUTE: 99.0, T - 3 * MINUTE: 98.0}, CLOSE),
    ],
    ids=["the last minute", "not the running one", "not an older one"],
)
def test_p_is_the_close_of_the_last_minute_that_is_over(
    planning: PlanningDatabase, bars: dict[datetime, float], price: int
) -> None:
    for ts, close in bars.items():
        planning.add_bar(ts, close)
    found = planning.read_row().price
    assert found is not None
    assert (found.price, found.observed_at) == (Price(price), T)


@pytest.mark.parametrize(
    ("withheld", "severity", "price", "source"),
    [
        ((), "block_all", CLOSE, "1m bar"),
        ((T - MINUTE,), "block_all", MARK, "mark"),
        ((T - MINUTE,), "block_entries", CLOSE, "1m bar"),
        ((T - 2 * MINUTE,), "block_all", MARK, "mark"),
    ],
)
def test_p_is_the_mark_of_an_instrument_whose_data_are_blocked_whole(
    planning: PlanningDatabase, withheld: tuple[datetime, ...], severity: str, price: int, source: str
) -> None:
    """Not the close of an earlier bar either."""
    planning.add_bar(T - 2 * MINUTE, 99)
    withhold(planning, *withheld, severity=severity)
    found = planning.read_row().price
    assert found is not None
    assert found.price == Price(price)
    assert found.source.startswith(source)


@pytest.mark.parametrize(("minutes", "price"), [(3, 99), (4, MARK)])
def test_p_is_the_mark_when_no_bar_ended_in_the_last_two_minutes(
    planning: PlanningDatabase, minutes: int, price: int
) -> None:
    cycle = T + timedelta(hours=1)
    planning.add("marks", cycle_t=cycle, price=MARK, observed_at=cycle)
    planning.add_bar(cycle - minutes * MINUTE, 99)
    found = planning.read_row(cycle).price
    assert found is not None
    assert found.price == Price(price)


def test_the_newest_mark_counts_and_only_that_of_the_cycle_is_a_price(planning: PlanningDatabase) -> None:
    for cycle, price in ((EARLIER, 90), (T - timedelta(hours=1), 80), (LATER + MINUTE, 999)):
        planning.add("marks", cycle_t=cycle, price=price, observed_at=cycle)
    now, next_cycle = planning.read_row(T), planning.read_row(LATER)
    assert now.mark is not None
    assert now.mark.price == Price(MARK)
    assert next_cycle.mark == now.mark
    assert next_cycle.price is None


# H


@pytest.mark.parametrize(
    ("bar", "counts"),
    [
        (T, False),
        (T - timedelta(minutes=5), True),
        (T - timedelta(minutes=60), True),
        (T - timedelta(minutes=65), False),
    ],
    ids=["running", "just over", "of the first fill", "before the first fill"],
)
def test_the_highest_close_is_of_bars_that_are_over_and_of_this_trade(
    planning: PlanningDatabase, bar: datetime, counts: bool
) -> None:
    planning.add_holding(first_fill_at=T - timedelta(minutes=58))
    planning.add_bar(T - timedelta(minutes=30), 110, "5m")
    planning.add_bar(bar, 150, "5m")
    assert planning.read_row().highest_close == Price(150 if counts else 110)


def test_a_flat_row_has_no_highest_close(planning: PlanningDatabase) -> None:
    planning.add_bar(T - timedelta(minutes=30), 110, "5m")
    assert planning.read_row().highest_close is None


# Signals


def test_only_signals_of_the_adopted_generation_are_read(planning: PlanningDatabase) -> None:
    ours = planning.add_signal(bar_ts=BAR - LENGTH)
    for bar in (BAR - LENGTH, BAR):
        planning.add_signal(Flag.BUY_SIGNAL, bar_ts=bar, bar_revision=1, generation=2)
    row = planning.read_row()
    assert (row.newest, row.signals) == (ours, (ours,))


@pytest.mark.parametrize(("cursor", "unread"), [(None, [2]), (2, []), (1, [2]), (0, [1, 2])])
def test_signals_up_to_the_cursor_are_not_read_again(
    planning: PlanningDatabase, cursor: int | None, unread: list[int]
) -> None:
    signals = [planning.add_signal(bar_ts=BAR - age * LENGTH) for age in (2, 1, 0)]
    planning.add_signal(bar_ts=T)
    if cursor is not None:
        planning.add("planner_state", position_id=POSITION, bar_ts=signals[cursor].bar_ts)
    row = planning.read_row()
    assert row.newest == signals[-1]
    assert row.signals == tuple(signals[number] for number in unread)


def test_a_revised_signal_replaces_the_one_before(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    revised = planning.add_signal(bar_revision=1, restep=1)
    assert planning.read_row().signals == (revised,)


def test_signals_made_anew_are_read_beside_those_after_the_cursor(planning: PlanningDatabase) -> None:
    """With a trade that is open, so that an exit which they raise is not lost."""
    before, newest = planning.add_signal(bar_ts=BAR - timedelta(minutes=15)), planning.add_signal()
    planning.add("planner_state", position_id=POSITION, bar_ts=before.bar_ts)
    with planning.database.session() as connection:
        connection.execute(text("UPDATE engine_states SET restep = 1"))
    planning.add(
        "resteps", instrument_id=1, timeframe="15m", generation=1, restep=1, cycle_t=T, known_seq=2,
        since=before.bar_ts, until=before.bar_ts,
    )  # fmt: skip
    revised = planning.add_signal(bar_ts=before.bar_ts, bar_revision=1, restep=1)
    row = planning.read_row()
    assert (row.newest, row.signals, row.revised) == (newest, (newest,), (revised,))


# The quality gate, and people


@pytest.mark.parametrize(
    ("severity", "finding", "entries", "everything", "all_rows"),
    [
        ("block_entries", {"instrument_id": 1}, ("staleness",), (), ()),
        ("block_entries", {"instrument_id": 1, "timeframe": "15m"}, ("staleness",), (), ()),
        ("block_entries", {"instrument_id": 1, "timeframe": "1h"}, (), (), ()),
        ("block_all", {"instrument_id": 1, "timeframe": "15m"}, (), ("staleness",), ()),
        ("block_entries", {}, (), (), ("staleness",)),
        ("warn", {"instrument_id": 1}, (), (), ()),
    ],
)
def test_a_finding_blocks_its_row_or_every_row(
    planning: PlanningDatabase,
    severity: str,
    finding: dict[str, Any],
    entries: tuple[str, ...],
    everything: tuple[str, ...],
    all_rows: tuple[str, ...],
) -> None:
    planning.add_finding(severity, **finding)
    inputs = planning.read()
    assert (inputs.rows[0].block_entries, inputs.rows[0].block_all) == (entries, everything)
    assert inputs.block_all_entries == all_rows


def test_a_gate_that_failed_or_did_not_run_blocks_every_entry(planning: PlanningDatabase) -> None:
    planning.add("quality_runs", cycle_t=T, suite="bars", succeeded=False, error="why")
    assert planning.read().block_all_entries == ("check_failed:bars",)
    for suite in ("ticks", "bars"):
        planning.add("quality_runs", cycle_t=LATER, suite=suite)
    assert planning.read(LATER).block_all_entries == ("not_checked:rows", "not_checked:signals")


def test_a_row_of_a_venue_that_is_off_may_not_enter(planning: PlanningDatabase) -> None:
    planning.context = replace(planning.context, settings=make_settings(hyperliquid_enabled=False))
    assert planning.read_row().block_entries == ("venue_off",)


@pytest.mark.parametrize(
    ("symbols", "blocks"), [((), ()), (("BTC",), ()), (("ETH", "BTC"), ()), (("ETH",), ("not_asked_for",))]
)
def test_the_symbols_of_the_form_are_the_only_ones_that_may_enter(
    planning: PlanningDatabase, symbols: tuple[str, ...], blocks: tuple[str, ...]
) -> None:
    assert planning.read_row(symbols=symbols).block_entries == blocks


# Equity and cash


def test_equity_is_unknown_while_a_holding_has_no_price(planning: PlanningDatabase) -> None:
    assert planning.read().equity == Money(100_000)
    planning.add_holding()
    assert planning.read().equity == Money(100_000 + 10 * (CLOSE - 100))
    planning.add("instruments", token_contract="ETH", symbol="ETH")
    planning.add("dust", token_contract="ETH", quantity=1)
    assert planning.read().equity is None


def test_the_portfolio_is_compared_with_its_peak(planning: PlanningDatabase) -> None:
    planning.add("equity", cycle_t=EARLIER, equity=120_000, peak=130_000, deposits=0)
    inputs = planning.read()
    assert (inputs.equity, inputs.peak) == (Money(100_000), Money(130_000))
    assert dict(inputs.free_cash) == {"hyperliquid/perps": Money(100_000)}


# Trade history


@pytest.mark.parametrize(
    ("rule", "field", "instant"),
    [
        ("first_buy", "attempts_bought", ATTEMPT),
        ("s2_buy", "s2_visits_bought", T - timedelta(hours=4)),
        ("first_dip", "trends_dipped", T - timedelta(hours=3)),
    ],
)
def test_a_buy_counts_for_its_own_rule_only(
    planning: PlanningDatabase, rule: str, field: str, instant: datetime
) -> None:
    named: dict[str, Any] = {
        "attempt_id": ATTEMPT,
        "state_since": T - timedelta(hours=4),
        "trend_id": T - timedelta(hours=3),
    }
    planning.add_signal()
    planning.add_filled_intent(rule, **named)
    history = planning.read_row().history
    counted = {name: getattr(history, name) for name in ("attempts_bought", "s2_visits_bought", "trends_dipped")}
    assert counted == {**dict.fromkeys(counted, ()), field: (instant,)}


@pytest.mark.parametrize("status", ["planned", "sent", "failed", "skipped"])
def test_a_buy_that_was_not_filled_does_not_count(planning: PlanningDatabase, status: str) -> None:
    planning.add_signal()
    planning.add_intent("first_buy", attempt_id=ATTEMPT, status=status, status_reason="why")
    assert planning.read_row().history.attempts_bought == ()


def test_only_the_last_trim_of_the_open_trade_counts(planning: PlanningDatabase) -> None:
    planning.add_signal()
    planning.add_holding(trade_no=2, first_fill_at=T - timedelta(hours=1))
    planning.add_filled_intent("trim", 1, trade_no=1, bar_count=999, level_id=T)
    assert planning.read_row().history.last_trim is None
    for number, bar_count in ((2, 990), (3, 995)):
        planning.add_filled_intent("trim", number, trade_no=2, bar_count=bar_count, level_id=ATTEMPT)
    assert planning.read_row().history.last_trim == LastTrim(bar_count=995, level_id=ATTEMPT)


def test_rungs_reclaims_and_emergencies_count_from_their_fills(planning: PlanningDatabase) -> None:
    trend = T - timedelta(hours=3)
    planning.add_signal(trend_id=trend)
    for number, rule in enumerate(("ladder", "reclaim", "emergency_exit"), start=1):
        planning.add_filled_intent(rule, number, trend_id=trend)
        planning.add_intent(rule, number + 10, trend_id=BAR, status="failed")
    history = planning.read_row().history
    assert [rung.trend_id for rung in history.ladder] == [trend]
    assert (history.trends_reclaimed, history.trends_fled) == ((trend,), (trend,))


@pytest.mark.parametrize(("closed_minutes_after_the_bar", "inside"), [(14, False), (15, True)])
def test_the_newest_trade_that_lost_names_the_trend_in_which_it_was_closed(
    planning: PlanningDatabase, closed_minutes_after_the_bar: int, inside: bool
) -> None:
    """A bar counts once it is over; later bars of another trend do not."""
    trend, closing = T - timedelta(hours=3), BAR - timedelta(minutes=15)
    planning.add_signal(bar_ts=closing - timedelta(minutes=15), trend_id=None)
    planning.add_signal(bar_ts=closing, trend_id=trend)
    planning.add_signal(trend_id=BAR)
    closed_at = closing + closed_minutes_after_the_bar * MINUTE
    planning.add("trades", position_id=POSITION, trade_no=1, net_pnl=1, closed_at=closed_at, opened_at=closing)
    assert planning.read_row().history.last_loss is None
    planning.add("trades", position_id=POSITION, trade_no=2, net_pnl=-1, closed_at=closed_at, opened_at=closing)
    assert planning.read_row().history.last_loss == LastLoss(trade_no=2, trend_id=trend if inside else None)


@pytest.mark.parametrize("rule", ["first_buy", "s2_buy", "first_dip"])
def test_the_last_buy_of_the_open_trade_counts_whatever_its_rule(planning: PlanningDatabase, rule: str) -> None:
    """Its bar began long before its fill, which began the trade."""
    named = {"attempt_id": ATTEMPT, "state_since": ATTEMPT, "trend_id": ATTEMPT, "source_bar": BAR - MINUTE}
    planning.add_signal(attempt_id=None, state_since=T)
    planning.add_holding(trade_no=2, first_fill_at=T)
    planning.add_filled_intent(rule, 1, trade_no=1, bar_count=999, **named)
    assert planning.read_row().history.last_buy_bar is None
    for number, bar_count in ((2, 990), (3, 995)):
        planning.add_filled_intent(rule, number, trade_no=2, bar_count=bar_count, **named)
    planning.add_filled_intent("trim", 4, trade_no=2, bar_count=998, level_id=ATTEMPT)
    assert planning.read_row().history.last_buy_bar == 995


@pytest.mark.parametrize(
    ("results", "failed"),
    [((), 0), ((-1,), 1), ((-1, -1), 2), ((-1, 1), 0), ((-1, -1, 1, -1), 1), ((-1, 0, -1, -1), 2)],
)
def test_attempts_that_failed_since_the_last_success_count(
    planning: PlanningDatabase, results: tuple[int, ...], failed: int
) -> None:
    for number, net in enumerate(results, start=1):
        planning.add("trades", position_id=POSITION, trade_no=number, net_pnl=net)
    assert planning.read_row().history.failed_attempts == failed


def test_ended_exits_of_the_open_trade_count_by_rule(planning: PlanningDatabase) -> None:
    planning.add_holding(trade_no=2)
    sell: dict[str, Any] = {"decision": "demote", "exit_reason": "stop", "notional": None, "quantity": 1,
                            "reduce_only": True, "status_reason": "why"}  # fmt: skip
    for number, (trade_no, status) in enumerate([(1, "failed"), (2, "failed"), (2, "skipped"), (2, "sent")], start=1):
        planning.add_intent("stop", number, **{**sell, "trade_no": trade_no, "status": status})
    assert planning.read_row().history.ended_exits == (Rule.STOP, Rule.STOP)


# What is open, and what is kept


def test_open_intents_reserve_their_notional(planning: PlanningDatabase) -> None:
    planning.add_intent("first_buy", 1, notional=700, status="failed")
    planning.add_intent("first_buy", 2, notional=300)
    row = planning.read_row()
    assert [intent.intent_id for intent in row.open_intents] == [UUID(int=2)]
    assert row.reserved == Money(300)


def test_the_planner_state_is_read_as_it_was_stored(planning: PlanningDatabase) -> None:
    kept = PlannerState(
        generation=1,
        bar_ts=BAR,
        bar_revision=2,
        trade_no=1,
        exit_due=ExitReason.TREND_OVER,
        exit_due_bar=BAR,
        highest=Price(130),
        trail_armed=True,
    )
    fields = {name: getattr(kept, name) for name in kept.__struct_fields__ if name != "highest"}
    planning.add("planner_state", position_id=POSITION, highest=130, **fields)
    assert planning.read_row().planner_state == kept
