"""The runs of the DAG, as Airflow's REST API tells them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from strandline.cli.up.loopback import ask
from strandline.model.errors import StrandlineError

DAG_ID: Final = "trading_cycle"
OVER: Final = frozenset({"success", "failed"})
_DAG: Final = f"/api/v2/dags/{DAG_ID}"
_RUNS: Final = f"{_DAG}/dagRuns"

_ATTEMPTS: Final = 60
_BETWEEN_ATTEMPTS: Final = 1.0
_UNAUTHORISED: Final = 401


class Task(NamedTuple):
    """One task of a run; without a state it has not been looked at yet."""

    task_id: str
    state: str | None
    seconds: float | None
    tries: int


class DagRun(NamedTuple):
    """One run."""

    run_id: str
    state: str


class AirflowRuns:
    """Of one api-server, as its one user."""

    def __init__(self, port: int, user: str, password: str, pause: Callable[[float], None]) -> None:
        """`pause` is how it waits while the server is busy, or is being restarted."""
        self._port = port
        self._login = {"username": user, "password": password}
        self._token = ""
        self._pause = pause

    def parsed(self) -> bool:
        """Whether Airflow knows the DAG already."""
        return self._ask("GET", _DAG)[0] == 200

    def begin(self) -> None:
        """Let it run: unpaused it starts with the last complete interval at once; else one run is triggered."""
        _, dag = self._ask("GET", _DAG)
        if dag["is_paused"]:
            status, answer = self._ask("PATCH", f"{_DAG}?update_mask=is_paused", {"is_paused": False})
        else:
            status, answer = self._ask("POST", _RUNS, {"logical_date": None})
        if status not in {200, 201}:
            raise StrandlineError(f"Airflow did not start a cycle: {answer}", "see the log of the api-server")

    def newest(self) -> Sequence[DagRun]:
        """The last few, oldest first."""
        _, answer = self._ask("GET", f"{_RUNS}?order_by=-run_after&limit=5")
        return [_run(one) for one in reversed(answer.get("dag_runs", []))]

    def run(self, run_id: str) -> DagRun:
        """How it is now."""
        _, answer = self._ask("GET", f"{_RUNS}/{run_id}")
        return _run(answer)

    def tasks(self, run_id: str) -> Mapping[str, Task]:
        """Its tasks, as far as they have come."""
        _, answer = self._ask("GET", f"{_RUNS}/{run_id}/taskInstances")
        return {task.task_id: task for task in map(_task, answer.get("task_instances", []))}

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        for _ in range(_ATTEMPTS):
            try:
                return self._ask_once(method, path, body)
            except OSError:
                self._pause(_BETWEEN_ATTEMPTS)
        raise StrandlineError("Airflow's api-server does not answer", "see its log")

    def _ask_once(self, method: str, path: str, body: object) -> tuple[int, Any]:
        status, answer = ask(self._port, method, path, body, token=self._token)
        if status == _UNAUTHORISED:
            _, told = ask(self._port, "POST", "/auth/token", self._login)
            self._token = str(told.get("access_token", ""))
            status, answer = ask(self._port, method, path, body, token=self._token)
        return status, answer


def _run(answer: Mapping[str, Any]) -> DagRun:
    return DagRun(answer["dag_run_id"], answer["state"])


def _task(answer: Mapping[str, Any]) -> Task:
    begun, ended = answer.get("start_date"), answer.get("end_date")
    seconds = None
    if begun and ended:
        seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    return Task(answer["task_id"], answer["state"], seconds, answer["try_number"])
