"""The DAG that loads history is wired as the design says."""

from typing import Any

import pytest

from strandline.cycle.backfill_form import FIELDS
from tests.dags.task_bodies import FORM

pytestmark = pytest.mark.slow


@pytest.fixture
def history(dags: dict[str, Any]) -> Any:
    """The DAG."""
    return dags["backfill_history"]


def test_its_runs_are_days_and_none_is_made_unasked(history: Any) -> None:
    assert history["timetable"]["__type"].endswith("CronDataIntervalTimetable")
    assert history["timetable"]["__var"] == {"expression": "0 0 * * *", "timezone": "UTC"}
    assert history["catchup"] is False
    assert history["paused"] is True


def test_backfills_are_allowed(history: Any) -> None:
    assert history["allowed_run_types"] == []


def test_what_is_loaded_is_checked_before_the_engine_steps_it(history: Any) -> None:
    after = {name: task["downstream"] for name, task in history["tasks"].items()}
    assert after == {"load_history": ["check_quality"], "check_quality": ["run_engine"], "run_engine": []}
    assert {task["trigger_rule"] for task in history["tasks"].values()} == {"all_success"}


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        ("load_history", ("a run", [FORM])),
        ("check_quality", ("of load_history", [])),
        ("run_engine", (None, [])),
    ],
)
def test_each_task_asks_the_library_and_returns_the_summary(
    history: Any, task: str, asked: tuple[str | None, list[Any]]
) -> None:
    body = history["bodies"][task]
    assert (body["step"], body["run"], body["others"]) == (task, *asked)
    assert body["returned"]["venues"] == ["one"]


def test_many_days_at_once_leave_the_workers_to_the_live_cycle(history: Any) -> None:
    for task in history["tasks"].values():
        assert task["most_at_once"] == 1
        assert task["weight_rule"] == "strandline_priority.LiveFirst"
        assert task["retries"] >= 1
    assert history["tasks"]["load_history"]["execution_timeout"] > 3600


def test_the_form_is_the_one_that_the_library_reads(history: Any) -> None:
    assert history["form"] == {name: field["default"] for name, field in FIELDS.items()}
    assert all(field["title"] and field["description"] for field in FIELDS.values())


def test_parsing_it_again_gives_the_same(history: Any) -> None:
    assert history["same_again"]
