"""The DAG that renders the gate's results is wired as the docs say."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def data_docs(dags: dict[str, Any]) -> Any:
    """The DAG."""
    return dags["data_docs"]


def test_it_runs_every_hour_between_two_cycles(data_docs: Any) -> None:
    assert data_docs["timetable"]["__var"] == {"expression": "3 * * * *", "timezone": "UTC"}
    assert data_docs["catchup"] is False
    assert data_docs["max_active_runs"] == 1


def test_its_task_calls_its_step_and_cannot_hang(data_docs: Any) -> None:
    assert data_docs["bodies"]["render_data_docs"]["step"] == "render_data_docs"
    assert 0 < data_docs["tasks"]["render_data_docs"]["execution_timeout"] < data_docs["dagrun_timeout"]


def test_it_never_stands_before_a_task_that_trades(dags: dict[str, Any]) -> None:
    """A cleared run of the cycle, which may not trade any more, is the least."""
    least = min(dags["trading_cycle"]["weights"].values())
    assert all(weight <= least for weight in dags["data_docs"]["weights"].values())


def test_parsing_it_again_gives_the_same(data_docs: Any) -> None:
    assert data_docs["same_again"]
