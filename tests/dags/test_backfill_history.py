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


def test_its_task_gets_the_run_and_the_form_and_returns_the_summary(history: Any) -> None:
    body = history["bodies"]["load_history"]
    assert (body["step"], body["run"], body["others"]) == ("load_history", "a run", [FORM])
    assert body["returned"]["venues"] == ["one"]


def test_many_days_at_once_leave_the_workers_to_the_live_cycle(history: Any) -> None:
    (task,) = history["tasks"].values()
    assert task["most_at_once"] == 1
    assert task["weight_rule"] == "strandline_priority.LiveFirst"
    assert task["retries"] >= 1
    assert task["execution_timeout"] > 3600


def test_the_form_is_the_one_that_the_library_reads(history: Any) -> None:
    assert history["form"] == {name: field["default"] for name, field in FIELDS.items()}
    assert all(field["title"] and field["description"] for field in FIELDS.values())


def test_parsing_it_again_gives_the_same(history: Any) -> None:
    assert history["same_again"]
