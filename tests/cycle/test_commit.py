"""What a plan leaves: its cycle, equity, intents and planner states; cancelled entries; strands of new holds only."""

from datetime import timedelta

import pytest

from strandline.model.signal import Flag
from tests.cycle.planning_database import (
    ATTEMPT,
    BAR,
    CLOSE,
    LATER,
    MINUTE,
    POSITION,
    PlanningDatabase,
    T,
)

TABLES = ("cycles", "equity", "intents", "planner_state", "strands", "strand_heads")


def everything(planning: PlanningDatabase) -> list[list[str]]:
    """The content of every table that planning writes."""
    return [[row[0] for row in planning.rows(f"SELECT t::text FROM {table} t ORDER BY 1")] for table in TABLES]


def holds(planning: PlanningDatabase) -> list[list[str]]:
    """The reasons of each hold that has a strand."""
    rows = planning.rows("SELECT body::json->'reasons' AS reasons FROM strands WHERE kind = 'hold' ORDER BY seq")
    return [row.reasons for row in rows]


def fall_below_the_stop(planning: PlanningDatabase) -> None:
    """Hold what was bought at 120: P is below its stop."""
    planning.add_holding(average_entry=120, invested=1200)


def test_a_plan_stores_its_cycle_and_its_equity(planning: PlanningDatabase) -> None:
    planned = planning.plan()
    (cycle,) = planning.rows("SELECT decisions, decision_digest FROM cycles WHERE cycle_t = :t", t=T)
    assert tuple(cycle) == (1, planned["digest"])
    assert [row.equity for row in planning.rows("SELECT equity FROM equity WHERE cycle_t = :t", t=T)] == [100_000]


def test_an_intent_is_stored_with_its_evidence(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    assert len(planning.plan()["intents"]) == 1
    (intent,) = planning.rows("SELECT rule, status, attempt_id, evidence FROM intents WHERE cycle_t = :t", t=T)
    assert (intent.rule, intent.status, intent.attempt_id) == ("first_buy", "planned", ATTEMPT)
    assert intent.evidence["rules_not_fired"]


def test_a_preview_stores_nothing(planning: PlanningDatabase) -> None:
    """With everything that a plan would leave: an entry that expired, another to cancel, an exit, a hold's strand."""
    fall_below_the_stop(planning)
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.add_intent("first_buy", attempt_id=ATTEMPT, expires_at=T - MINUTE)
    before = everything(planning)
    previewed = planning.plan(plan_only=True)
    assert previewed["outcome"] == "plan_only"
    assert len(previewed["intents"]) == 1
    assert everything(planning) == before


def test_an_exit_cancels_the_entries_that_nobody_claimed(planning: PlanningDatabase) -> None:
    fall_below_the_stop(planning)
    planning.add_intent("first_buy", attempt_id=ATTEMPT)
    planning.plan()
    intents = planning.rows("SELECT side, status, status_reason FROM intents ORDER BY side")
    assert [tuple(row) for row in intents] == [("buy", "skipped", "exit_comes_first"), ("sell", "planned", None)]


def test_an_entry_that_was_claimed_is_left_to_its_executor(planning: PlanningDatabase) -> None:
    fall_below_the_stop(planning)
    planning.add_intent("first_buy", attempt_id=ATTEMPT, status="preparing")
    planning.plan()
    assert [row.status for row in planning.rows("SELECT status FROM intents WHERE side = 'buy'")] == ["preparing"]


def test_a_hold_has_a_strand_only_when_it_is_new(planning: PlanningDatabase) -> None:
    planning.plan()
    planning.prepare_next()
    planning.plan(LATER)
    assert holds(planning) == [["nothing_to_do"]]


def test_a_hold_for_another_reason_has_a_strand(planning: PlanningDatabase) -> None:
    planning.plan()
    planning.prepare_next()
    planning.plan(LATER, symbols=("ETH",))
    planning.prepare_next(LATER + (LATER - T))
    planning.plan(LATER + (LATER - T))
    assert holds(planning) == [["nothing_to_do"], ["block_entries:not_asked_for"], ["nothing_to_do"]]


@pytest.mark.parametrize(("symbols", "rules"), [((), ["first_buy"]), (("BTC",), ["first_buy"]), (("ETH",), [])])
def test_the_form_keeps_other_symbols_from_entering(
    planning: PlanningDatabase, symbols: tuple[str, ...], rules: list[str]
) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.plan(symbols=symbols)
    assert [row.rule for row in planning.rows("SELECT rule FROM intents")] == rules


def test_the_form_stops_no_exit(planning: PlanningDatabase) -> None:
    fall_below_the_stop(planning)
    planning.plan(symbols=("ETH",))
    assert [row.rule for row in planning.rows("SELECT rule FROM intents")] == ["stop"]


def test_the_trail_is_kept_when_the_price_falls_back(planning: PlanningDatabase) -> None:
    """Bought at 80, a price of 101 arms the trail; in the next cycle only the planner state knows of the 101."""
    planning.add_holding(average_entry=80, invested=800)
    planning.add_signal()
    planning.plan()
    planning.prepare_next(close=95)
    (kept,) = planning.rows("SELECT highest, trail_armed FROM planner_state")
    assert tuple(kept) == (CLOSE, True)
    planning.plan(LATER)
    assert [row.rule for row in planning.rows("SELECT rule FROM intents")] == ["trailing_stop"]


def test_an_exit_stays_due_until_the_row_is_flat(planning: PlanningDatabase) -> None:
    """Its signal is read once; the exit that failed is planned again from the planner state."""
    planning.add_holding()
    planning.add_signal(Flag.EXIT_POSITION, exit_reason="trend_over")
    planning.plan()
    planning.change("UPDATE intents SET status = 'skipped', status_reason = 'why'")
    planning.prepare_next()
    planning.plan(LATER)
    intents = planning.rows("SELECT rule, attempt_no FROM intents ORDER BY cycle_t")
    assert [tuple(row) for row in intents] == [("trend_end", 0), ("trend_end", 1)]
    (kept,) = planning.rows("SELECT exit_due, exit_due_bar FROM planner_state WHERE position_id = :id", id=POSITION)
    assert tuple(kept) == ("trend_over", BAR)


def test_the_cursor_moves_with_the_plan(planning: PlanningDatabase) -> None:
    planning.add_signal(bar_ts=BAR - timedelta(minutes=15))
    planning.plan()
    planning.add_signal()
    planning.prepare_next()
    planning.plan(LATER)
    assert [row.bar_ts for row in planning.rows("SELECT bar_ts FROM planner_state")] == [BAR]
