"""The DAG is wired as the design says, and parsing it again gives the same."""

from typing import Any

import pytest

from strandline.cycle.form import FIELDS
from strandline.venues.factory import ExecutorFactory

pytestmark = pytest.mark.slow
EXECUTE = {f"execute__{venue.slug}": venue.slug for venue in ExecutorFactory.venues()}


@pytest.fixture
def cycle(dags: dict[str, Any]) -> Any:
    """The pipeline."""
    return dags["trading_cycle"]


def test_every_dag_is_known_here(dags: dict[str, Any]) -> None:
    assert set(dags) == {"backfill_history", "data_docs", "maintenance", "trading_cycle"}


def test_it_runs_every_five_minutes_with_intervals(cycle: Any) -> None:
    assert cycle["timetable"]["__type"].endswith("CronDataIntervalTimetable")
    assert cycle["timetable"]["__var"] == {"expression": "*/5 * * * *", "timezone": "UTC"}
    assert cycle["catchup"] is False
    assert cycle["allowed_run_types"] == ["manual", "scheduled"]


def test_the_tasks_follow_each_other(cycle: Any) -> None:
    assert {name: set(task["downstream"]) for name, task in cycle["tasks"].items()} == {
        "begin_cycle": {"observe_venues", "roll_up_bars"},
        "observe_venues": {"check_quality"},
        "roll_up_bars": {"check_quality"},
        "check_quality": {"run_engine"},
        "run_engine": {"check_signals"},
        "check_signals": {"plan_intents"},
        "plan_intents": {"choose_venues"},
        "choose_venues": set(EXECUTE),
        **{name: {"audit_strands"} for name in EXECUTE},
        "audit_strands": set(),
    }


def test_each_task_calls_its_step_with_this_run(cycle: Any) -> None:
    """The form, the kind of the run and the date arrive in every step."""
    for name, body in cycle["bodies"].items():
        slug = EXECUTE.get(name)
        assert (body["step"], body["others"][: bool(slug)]) == (("execute_venue", [slug]) if slug else (name, [])), name
        assert body["run"] == {
            "cycle": "2026-11-20T10:05:00Z",
            "dag_id": "trading_cycle",
            "run_id": "a run",
            "run_type": "manual",
            "task_id": name,
            "try_number": 3,
            "venues": ["hyperliquid/perps"],
            "symbols": ["ETH"],
            "plan_only": True,
        }


def test_a_run_that_may_not_trade_goes_no_further(cycle: Any) -> None:
    """The first task's own value decides; the summary that it is taken from is never empty."""
    assert cycle["bodies"]["begin_cycle"]["returned"] is False


def test_the_branch_follows_the_tasks_that_were_chosen(cycle: Any) -> None:
    assert cycle["bodies"]["choose_venues"]["returned"] == ["execute__one"]


def test_the_audit_gets_the_states_and_the_reports_of_this_run(cycle: Any) -> None:
    states = {"run_engine": "failed", "of": "trading_cycle"}
    assert cycle["bodies"]["audit_strands"]["others"] == [states, "of x"]


def test_no_task_can_hang_and_each_tries_again_soon(cycle: Any) -> None:
    for name, task in cycle["tasks"].items():
        assert 0 < task["execution_timeout"] <= 120, name
        assert task["retries"] >= 1, name
        assert task["retry_delay"] <= 5, name


def test_a_frozen_run_is_given_up_in_the_end(cycle: Any) -> None:
    assert 300 < cycle["dagrun_timeout"] <= 3600


def test_cleared_runs_neither_keep_new_ones_from_being_made_nor_take_all_workers(cycle: Any) -> None:
    assert cycle["max_active_runs"] >= 1_000
    assert cycle["tasks"]["begin_cycle"]["most_at_once"] == 2
    assert {task["weight_rule"] for task in cycle["tasks"].values()} == {"strandline_priority.LiveFirst"}


def test_a_run_that_may_no_longer_trade_never_stands_before_the_live_one(cycle: Any) -> None:
    """A run may be triggered for a date long past; only those of the schedule are surely of now when they are made."""
    weights = cycle["weights"]
    assert weights["scheduled"] == weights["scheduled, cleared at once"] > weights["triggered"]
    assert weights["triggered"] == weights["triggered, cleared at once"] > weights["triggered, cleared later"]
    assert weights["triggered, cleared later"] == weights["scheduled, cleared later"] > 0


def test_the_form_is_the_one_that_the_library_reads(cycle: Any) -> None:
    assert cycle["form"] == {name: field["default"] for name, field in FIELDS.items()}


def test_each_venue_has_its_own_pool_and_queue(cycle: Any) -> None:
    for name, slug in EXECUTE.items():
        assert (cycle["tasks"][name]["pool"], cycle["tasks"][name]["queue"]) == (slug, slug)


def test_bad_data_stop_entries_and_not_the_run(cycle: Any) -> None:
    """What comes after a failed step still runs, because exits must stay possible; the audit fails the run."""
    venues_and_first = {*EXECUTE, "begin_cycle"}
    for name in set(cycle["tasks"]) - venues_and_first:
        assert cycle["tasks"][name]["trigger_rule"] == "all_done", name
    for name in venues_and_first:
        assert cycle["tasks"][name]["trigger_rule"] == "all_success", name


def test_parsing_it_again_gives_the_same(cycle: Any) -> None:
    assert cycle["same_again"]
