"""Reads and controls the demo's DAG and its runs through Airflow's REST API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from strandline.cli.airflow.client import AirflowClient

DAG_ID: Final = "trading_cycle"
FINISHED: Final = frozenset({"success", "failed"})
_DAG: Final = f"/api/v2/dags/{DAG_ID}"
_RUNS: Final = f"{_DAG}/dagRuns"


class Task(NamedTuple):
    """A task of a run; its state is None until it is scheduled."""

    task_id: str
    state: str | None
    seconds: float | None


class DagRun(NamedTuple):
    """A run; `cycle` is the end of its interval, None for a run triggered without a date."""

    run_id: str
    state: str
    cycle: datetime | None

    @property
    def is_scheduled(self) -> bool:
        """Whether the schedule made it, and not a person; Airflow keeps such ids for its own runs."""
        return self.run_id.startswith("scheduled__")


class DagRuns:
    """The DAG and its runs."""

    def __init__(self, airflow: AirflowClient) -> None:
        self._airflow = airflow

    def is_parsed(self) -> bool:
        """Whether Airflow has parsed the DAG."""
        return self._airflow.request("GET", _DAG, accepted={200, 404})[0] == 200

    def next_cycle(self) -> datetime | None:
        """Return the cycle of the run that the scheduler creates next."""
        _, dag = self._airflow.request("GET", _DAG)
        return _instant(dag["next_dagrun_data_interval_end"])

    def parse_again(self) -> None:
        """Ask the DAG processor to read the DAG file: that is when a paused DAG's next run is determined."""
        _, dag = self._airflow.request("GET", _DAG)
        # A request that waits already is refused as a duplicate.
        self._airflow.request("PUT", f"/api/v2/parseDagFile/{dag['file_token']}", accepted={200, 201, 409})

    def pause(self) -> None:
        """Keep the scheduler from creating runs; a DAG that Airflow does not know yet is paused when it is created."""
        self._airflow.request("PATCH", f"{_DAG}?update_mask=is_paused", {"is_paused": True}, accepted={200, 404})

    def unpause(self) -> None:
        """Let the scheduler create runs."""
        self._airflow.request("PATCH", f"{_DAG}?update_mask=is_paused", {"is_paused": False})

    def newest(self) -> Sequence[DagRun]:
        """Return the last few runs, oldest first."""
        _, response = self._airflow.request("GET", f"{_RUNS}?order_by=-run_after&limit=5")
        return [_run(one) for one in reversed(response["dag_runs"])]

    def with_later(self, run_id: str) -> tuple[DagRun, Sequence[DagRun]]:
        """Return the current state of a run, and the last few runs that came after it."""
        newest = self.newest()
        for number, run in enumerate(newest):
            if run.run_id == run_id:
                return run, newest[number + 1 :]
        return _run(self._airflow.request("GET", f"{_RUNS}/{run_id}")[1]), newest

    def tasks(self, run_id: str) -> Mapping[str, Task]:
        """Return the current states of a run's tasks."""
        _, response = self._airflow.request("GET", f"{_RUNS}/{run_id}/taskInstances")
        return {task.task_id: task for task in map(_task, response["task_instances"])}


def _run(response: Mapping[str, Any]) -> DagRun:
    return DagRun(response["dag_run_id"], response["state"], _instant(response["data_interval_end"]))


def _task(response: Mapping[str, Any]) -> Task:
    started, ended = _instant(response["start_date"]), _instant(response["end_date"])
    seconds = (ended - started).total_seconds() if started and ended else None
    return Task(response["task_id"], response["state"], seconds)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
