"""A cycle is planned once, by a live run, while it is the newest and fresh; otherwise the reason is stored."""

from datetime import datetime, timedelta

import pytest

from tests.cycle.planning_database import EARLIER, LATER, PlanningDatabase, T

LIMIT = timedelta(seconds=360)
MICROSECOND = timedelta(microseconds=1)


def stored(planning: PlanningDatabase) -> str | None:
    """The stored outcome of cycle T."""
    return next((row.outcome for row in planning.rows("SELECT outcome FROM cycles WHERE cycle_t = :t", t=T)), None)


def store(planning: PlanningDatabase, cycle: datetime, outcome: str) -> None:
    """Store an outcome, as another run did."""
    planning.add("cycles", cycle_t=cycle, outcome=outcome, decision_digest="a" * 64 if outcome == "planned" else None)


@pytest.mark.parametrize(
    ("other", "run_type", "age", "outcome"),
    [
        (None, "scheduled", timedelta(seconds=3), "planned"),
        (None, "manual", timedelta(seconds=3), "planned"),
        (None, "scheduled", LIMIT, "planned"),
        (None, "scheduled", LIMIT + MICROSECOND, "stale_cycle"),
        (None, "backfill", timedelta(seconds=3), "backfill"),
        ((LATER, "planned"), "scheduled", timedelta(seconds=3), "superseded"),
        ((LATER, "stale_cycle"), "scheduled", timedelta(seconds=3), "planned"),
        ((LATER, "planned"), "scheduled", LIMIT + MICROSECOND, "superseded"),
        ((LATER, "planned"), "backfill", timedelta(seconds=3), "backfill"),
    ],
)
def test_a_cycle_is_planned_or_its_reason_is_stored(
    planning: PlanningDatabase, other: tuple[datetime, str] | None, run_type: str, age: timedelta, outcome: str
) -> None:
    if other:
        store(planning, *other)
    planning.now = T + age
    assert planning.plan(run_type=run_type)["outcome"] == outcome
    assert stored(planning) == outcome


@pytest.mark.parametrize("outcome", ["planned", "stale_cycle", "superseded", "backfill"])
def test_a_stored_outcome_stays(planning: PlanningDatabase, outcome: str) -> None:
    store(planning, T, outcome)
    planning.now = T + 2 * LIMIT
    assert planning.plan() == {"outcome": "already_planned"}
    assert stored(planning) == outcome


def test_a_preview_of_an_overtaken_cycle_stores_nothing(planning: PlanningDatabase) -> None:
    store(planning, LATER, "planned")
    assert planning.plan(plan_only=True) == {"outcome": "superseded"}
    assert stored(planning) is None


def test_an_earlier_cycle_does_not_matter(planning: PlanningDatabase) -> None:
    assert planning.rows("SELECT FROM cycles WHERE cycle_t = :t", t=EARLIER)
    assert planning.plan()["outcome"] == "planned"
