"""Breakers, halts and requests to exit, from cycle to cycle in the database."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.model.signal import Flag
from tests.cycle.planning_database import ATTEMPT, EARLIER, LATER, POSITION, PlanningDatabase, T
from tests.store.concurrency import at_once

NEXT = LATER + CYCLE_LENGTH
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)


def lost(planning: PlanningDatabase, day_start: int = 100_000, peak: int = 100_000, cycle: datetime = EARLIER) -> None:
    """The cycle before had this to lose; there are 100,000 now."""
    planning.add("equity", cycle_t=cycle, equity=100_000, day_start=day_start, peak=peak)


def order(planning: PlanningDatabase, control: str, **special: object) -> None:
    """Give an order as a person does."""
    planning.add("controls", control=control, given_at=planning.now, **special)


def reasons(planning: PlanningDatabase) -> list[str]:
    """The reasons of the newest hold."""
    (found,) = planning.rows(
        "SELECT body::jsonb -> 'reasons' AS reasons FROM strands WHERE kind = 'hold' ORDER BY seq DESC LIMIT 1"
    )
    return list(found.reasons)


def rules(planning: PlanningDatabase) -> list[str]:
    """The rules of all intents, in the order of their cycles."""
    return [row.rule for row in planning.rows("SELECT rule FROM intents ORDER BY cycle_t")]


def trips(planning: PlanningDatabase) -> list[tuple[str, str]]:
    """What tripped, and at which equity."""
    rows = planning.rows("SELECT body::jsonb AS strand FROM strands WHERE chain = 'system' ORDER BY seq")
    return [(row.strand["reasons"][1], row.strand["inputs"]["equity"]) for row in rows]


def stored(planning: PlanningDatabase, cycle: datetime) -> list[str]:
    """The breakers that are tripped after this cycle."""
    (row,) = planning.rows("SELECT breakers FROM equity WHERE cycle_t = :t", t=cycle)
    return list(row.breakers)


def test_a_breaker_that_trips_is_stored_recorded_said_and_blocks(
    planning: PlanningDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    lost(planning, day_start=105_264, peak=125_000)
    planning.add_signal(Flag.BUY_SIGNAL)
    with caplog.at_level(logging.WARNING):
        summary = planning.plan()
    assert summary["breakers"] == ["daily_loss", "drawdown"]
    assert "the breaker drawdown is tripped" in caplog.text
    assert stored(planning, T) == ["daily_loss", "drawdown"]
    assert trips(planning) == [("daily_loss", "100000"), ("drawdown", "100000")]
    assert reasons(planning) == ["breaker:daily_loss", "breaker:drawdown"]
    assert rules(planning) == []


def test_it_stays_tripped_while_the_equity_recovers_and_has_one_strand(planning: PlanningDatabase) -> None:
    lost(planning, day_start=105_264, peak=125_000)
    planning.plan()
    planning.change("UPDATE cash SET amount = 124000")
    planning.prepare_next()
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.plan(LATER)
    assert stored(planning, LATER) == ["daily_loss", "drawdown"]
    assert len(trips(planning)) == 2
    assert rules(planning) == []


def test_the_daily_loss_is_over_at_midnight_utc(planning: PlanningDatabase) -> None:
    lost(planning, day_start=105_264)
    planning.plan()
    for cycle, after in ((MIDNIGHT - CYCLE_LENGTH, ["daily_loss"]), (MIDNIGHT, [])):
        planning.prepare_next(cycle)
        planning.plan(cycle)
        assert stored(planning, cycle) == after


def test_a_reset_ends_the_drawdown_in_the_next_cycle(planning: PlanningDatabase) -> None:
    lost(planning, peak=125_000)
    planning.plan()
    order(planning, "reset")
    planning.prepare_next()
    planning.plan(LATER)
    assert stored(planning, LATER) == []
    (row,) = planning.rows("SELECT peak, day_start FROM equity WHERE cycle_t = :t", t=LATER)
    assert tuple(row) == (100_000, 100_000)


def test_a_withdrawal_is_no_loss(planning: PlanningDatabase) -> None:
    lost(planning, day_start=150_000, peak=150_000)
    planning.add("cash_events", cause="withdrawal", usd=-50_000, amount=-50_000)
    planning.plan()
    assert stored(planning, T) == []


def test_a_deposit_hides_no_loss(planning: PlanningDatabase) -> None:
    planning.add("equity", cycle_t=EARLIER, equity=60_000, day_start=60_000, peak=60_000)
    planning.add("cash_events", cause="deposit", usd=50_000, amount=50_000)
    planning.plan()
    assert stored(planning, T) == ["daily_loss"]


def test_an_equity_that_is_not_known_blocks_and_trips_nothing(planning: PlanningDatabase) -> None:
    lost(planning)
    planning.add("cash", asset="SOL", amount=2)
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.plan()
    assert reasons(planning) == ["no_equity"]
    assert stored(planning, T) == []


def test_planned_again_and_twice_at_once_it_trips_once(planning: PlanningDatabase) -> None:
    lost(planning, day_start=105_264)
    assert at_once(planning.plan, 3) == []
    assert planning.plan()["outcome"] == "already_planned"
    assert trips(planning) == [("daily_loss", "100000")]


def test_a_preview_trips_nothing(planning: PlanningDatabase) -> None:
    lost(planning, day_start=105_264)
    assert planning.plan(plan_only=True)["breakers"] == ["daily_loss"]
    assert trips(planning) == []


@pytest.mark.parametrize("control", ["halt", "halt_all"])
def test_a_halt_stops_entries_and_every_cycle_says_so(
    planning: PlanningDatabase, control: str, caplog: pytest.LogCaptureFixture
) -> None:
    order(planning, control)
    planning.add_signal(Flag.BUY_SIGNAL)
    for cycle in (T, LATER):
        caplog.clear()
        if cycle is LATER:
            planning.prepare_next()
        summary = planning.plan(cycle)
        assert "halted by anna" in summary["halt"]
        assert "halted by anna" in caplog.text
    assert reasons(planning) == [control]
    order(planning, "resume")
    planning.prepare_next(NEXT)
    assert planning.plan(NEXT)["halt"] is None
    assert rules(planning) == ["first_buy"]


def test_a_stop_goes_on_under_a_halt_and_waits_under_halt_all(planning: PlanningDatabase) -> None:
    planning.add_holding(average_entry=120, invested=1200)
    planning.add_signal()
    order(planning, "halt_all")
    planning.plan()
    assert (rules(planning), reasons(planning)) == ([], ["halt_all"])
    order(planning, "halt")
    planning.prepare_next()
    planning.plan(LATER)
    assert rules(planning) == ["stop"]


@pytest.mark.parametrize("control", ["force_exit", "flatten"])
def test_a_request_sells_in_each_cycle_until_the_row_is_flat_also_under_halt_all(
    planning: PlanningDatabase, control: str
) -> None:
    planning.add_holding()
    planning.add_signal()
    order(planning, "halt_all")
    order(planning, control, **({"position_id": POSITION} if control == "force_exit" else {}))
    planning.plan()
    planning.change("UPDATE intents SET status = 'skipped', status_reason = 'why'")
    planning.prepare_next()
    planning.plan(LATER)
    intents = planning.rows("SELECT rule, exit_reason, decision, attempt_no, status FROM intents ORDER BY cycle_t")
    assert [tuple(row) for row in intents] == [
        ("manual", "manual", "demote", 0, "skipped"),
        ("manual", "manual", "demote", 1, "planned"),
    ]
    planning.change("UPDATE intents SET status = 'skipped', status_reason = 'why'")
    planning.change("UPDATE holdings SET quantity = 0, average_entry = NULL")
    order(planning, "resume")
    planning.prepare_next(NEXT)
    planning.plan(NEXT)
    planning.change("UPDATE holdings SET trade_no = 2, quantity = 5, average_entry = 101")
    planning.prepare_next(NEXT + CYCLE_LENGTH)
    planning.plan(NEXT + CYCLE_LENGTH)
    assert rules(planning) == ["manual", "manual"], "the next trade is not sold by the old request"


def test_a_request_about_another_venue_sells_nothing(planning: PlanningDatabase) -> None:
    planning.add_holding()
    order(planning, "flatten", token_chain="solana", book_id="onchain_crypto")
    planning.plan()
    assert rules(planning) == []
    order(planning, "flatten", token_chain="hyperliquid", book_id="perps")
    planning.prepare_next()
    planning.plan(LATER)
    assert rules(planning) == ["manual"]


def test_the_same_request_has_the_same_id_and_another_one_another(planning: PlanningDatabase) -> None:
    assert planning.read_row().exit_request is None
    order(planning, "flatten")
    first = planning.read_row().exit_request
    assert first == planning.read_row().exit_request
    planning.now += timedelta(seconds=1)
    order(planning, "force_exit", position_id=POSITION)
    second = planning.read_row().exit_request
    assert first is not None
    assert second is not None
    assert second.number > first.number
    assert second.request_id != first.request_id


def test_an_entry_that_was_planned_is_cancelled_by_a_persons_exit(planning: PlanningDatabase) -> None:
    planning.add_holding()
    planning.add_intent("first_buy", attempt_id=ATTEMPT)
    order(planning, "flatten")
    planning.plan()
    intents = planning.rows("SELECT side, status FROM intents ORDER BY side")
    assert [tuple(row) for row in intents] == [("buy", "skipped"), ("sell", "planned")]
