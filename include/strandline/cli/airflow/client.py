"""The one client of Airflow's REST API."""

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from strandline.cli.up.loopback import request
from strandline.cli.up.waiting import retry_while_away
from strandline.model.errors import StrandlineError

_LONGEST_SILENCE: Final = 30.0
_HEALTH_IS_GOOD_FOR: Final = 0.2
_LONGEST_QUEUED: Final = 20.0
"""Queued means handed to the workers; one that is free takes a task at once."""

_QUEUE_IS_GOOD_FOR: Final = 5.0
_QUEUED_TASKS: Final = "/api/v2/dags/~/dagRuns/~/taskInstances?state=queued&limit=100"
_OK: Final = frozenset({200, 201})
_UNAUTHORISED: Final = 401
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


class AirflowClient:
    """Logs in as the one user. A request waits, and says so, while the api-server is away."""

    def __init__(
        self, port: int, user: str, password: str, pause: Callable[[float], None], report: Callable[[str], None]
    ) -> None:
        self._port = port
        self._login = {"username": user, "password": password}
        self._pause = pause
        self._report = report
        self._token = ""
        self._health: dict[str, Any] = {}
        self._health_read_at = float("-inf")
        self._queued_since: list[float] = []
        self._queue_read_at = float("-inf")

    def is_healthy(self) -> bool:
        """Whether the api-server answers and reaches its database; never waits."""
        return bool(self._read_health().get("metadatabase", {}).get("status") == "healthy")

    def has_heartbeat(self, component: str, uptime: float) -> bool:
        """Whether a component has shown life lately, and since it was started: an earlier life does not count."""
        last = self._read_health().get(component, {}).get(f"latest_{component}_heartbeat")
        return last is not None and time.time() - datetime.fromisoformat(last).timestamp() < min(
            uptime, _LONGEST_SILENCE
        )

    def workers_take_tasks(self, uptime: float) -> bool:
        """Whether no task has waited long for a worker since the scheduler was started; never waits.

        The workers share one queue, and an idle one holds its lock: if that one freezes, no other gets a task, while
        the scheduler shows life.
        """
        return not any(_LONGEST_QUEUED < time.time() - queued < uptime for queued in self._read_queue())

    def request(
        self, method: str, path: str, body: object = None, *, accepted: Collection[int] = _OK
    ) -> tuple[int, Any]:
        """Return status and JSON, as soon as the api-server answers; a refusal is an error."""
        status, response = retry_while_away(
            "Airflow's api-server", lambda: self._send(method, path, body), pause=self._pause, report=self._report
        )
        if status not in accepted:
            raise StrandlineError(f"Airflow refused {method} {path}: {response}", "see the log of the api-server")
        return status, response

    def _send(self, method: str, path: str, body: object) -> tuple[int, Any]:
        status, response = self._send_once(method, path, body)
        if status == _UNAUTHORISED:
            status, response = self._send_once("POST", "/auth/token", self._login)
            if status not in _OK:
                return status, response
            self._token = response["access_token"]
            status, response = self._send_once(method, path, body)
        return status, response

    def _send_once(self, method: str, path: str, body: object) -> tuple[int, Any]:
        status, response = request(self._port, method, path, body, token=self._token)
        if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS:
            raise OSError(f"{method} {path} is answered with status {status}")
        return status, response

    def _read_health(self) -> dict[str, Any]:
        if time.monotonic() - self._health_read_at > _HEALTH_IS_GOOD_FOR:
            try:
                status, response = request(self._port, "GET", "/api/v2/monitor/health")
            except OSError:
                status, response = 0, None
            self._health = response if status in _OK and isinstance(response, dict) else {}
            self._health_read_at = time.monotonic()
        return self._health

    def _read_queue(self) -> list[float]:
        """Since when each queued task is that."""
        if time.monotonic() - self._queue_read_at > _QUEUE_IS_GOOD_FOR:
            try:
                status, response = self._send("GET", _QUEUED_TASKS, None)
            except OSError:
                status, response = 0, None
            tasks = response["task_instances"] if status in _OK else []
            self._queued_since = [
                datetime.fromisoformat(task["queued_when"]).timestamp() for task in tasks if task["queued_when"]
            ]
            self._queue_read_at = time.monotonic()
        return self._queued_since
