"""The DAG is wired as the design says, and parsing it again gives the same."""

from typing import Any

import pytest

from strandline.venues.factory import ExecutorFactory

pytestmark = pytest.mark.slow
EXECUTE = {f"execute__{venue.slug}": venue.slug for venue in ExecutorFactory.venues()}


@pytest.fixture
def cycle(dags: dict[str, Any]) -> Any:
    """The pipeline."""
    return dags["trading_cycle"]


def test_every_dag_is_known_here(dags: dict[str, Any]) -> None:
    assert set(dags) == {"trading_cycle"}


def test_it_runs_every_five_minutes_with_intervals_one_at_a_time(cycle: Any) -> None:
    assert cycle["timetable"]["__type"].endswith("CronDataIntervalTimetable")
    assert cycle["timetable"]["__var"] == {"expression": "*/5 * * * *", "timezone": "UTC"}
    assert cycle["max_active_runs"] == 1
    assert cycle["catchup"] is False
    assert cycle["allowed_run_types"] == ["manual", "scheduled"]


def test_the_tasks_follow_each_other(cycle: Any) -> None:
    assert {name: set(task["downstream"]) for name, task in cycle["tasks"].items()} == {
        "observe_venues": {"check_quality"},
        "roll_up_bars": {"check_quality"},
        "check_quality": {"run_engine"},
        "run_engine": {"plan_intents"},
        "plan_intents": {"choose_venues"},
        "choose_venues": set(EXECUTE),
        **{name: {"audit_strands"} for name in EXECUTE},
        "audit_strands": set(),
    }


def test_no_task_can_hang_and_each_tries_again_soon(cycle: Any) -> None:
    for name, task in cycle["tasks"].items():
        assert 0 < task["execution_timeout"] <= 120, name
        assert task["retries"] >= 1, name
        assert task["retry_delay"] <= 5, name


def test_each_venue_has_its_own_pool_and_queue(cycle: Any) -> None:
    for name, slug in EXECUTE.items():
        assert (cycle["tasks"][name]["pool"], cycle["tasks"][name]["queue"]) == (slug, slug)


def test_bad_data_stop_entries_and_not_the_run(cycle: Any) -> None:
    """What comes after a failed step still runs, because exits must stay possible; the audit fails the run."""
    for name in ("check_quality", "run_engine", "plan_intents", "choose_venues", "audit_strands"):
        assert cycle["tasks"][name]["trigger_rule"] == "all_done", name
    for name in EXECUTE:
        assert cycle["tasks"][name]["trigger_rule"] == "all_success", name


def test_parsing_it_again_gives_the_same(cycle: Any) -> None:
    assert cycle["same_again"]
