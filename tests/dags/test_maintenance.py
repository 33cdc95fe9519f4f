"""The DAG that keeps house is wired as the design says."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def maintenance(dags: dict[str, Any]) -> Any:
    """The DAG."""
    return dags["maintenance"]


def test_it_runs_once_a_day_one_at_a_time(maintenance: Any) -> None:
    assert maintenance["timetable"]["__type"].endswith("CronDataIntervalTimetable")
    assert maintenance["timetable"]["__var"] == {"expression": "20 3 * * *", "timezone": "UTC"}
    assert maintenance["catchup"] is False
    assert maintenance["max_active_runs"] == 1


def test_each_task_calls_its_step_and_waits_for_no_other(maintenance: Any) -> None:
    assert {name: body["step"] for name, body in maintenance["bodies"].items()} == {
        "make_partitions": "make_partitions",
        "archive_ticks": "archive_ticks",
    }
    assert all(task["downstream"] == [] for task in maintenance["tasks"].values())


def test_no_task_can_hang_and_each_tries_again(maintenance: Any) -> None:
    for name, task in maintenance["tasks"].items():
        assert 0 < task["execution_timeout"] < maintenance["dagrun_timeout"], name
        assert task["retries"] >= 1, name


def test_it_never_stands_before_a_task_that_trades(dags: dict[str, Any]) -> None:
    """A cleared run of the cycle, which may not trade any more, is the least."""
    least = min(dags["trading_cycle"]["weights"].values())
    assert all(weight <= least for weight in dags["maintenance"]["weights"].values())


def test_parsing_it_again_gives_the_same(maintenance: Any) -> None:
    assert maintenance["same_again"]
