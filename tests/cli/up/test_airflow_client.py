"""The client of Airflow's REST API against a server that fails in every way."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from strandline.cli.airflow.client import AirflowClient
from strandline.cli.demo.dag_runs import DagRun, DagRuns
from strandline.model.errors import StrandlineError
from tests.ports import free_port

RUNS = {"dag_runs": [{"dag_run_id": "one", "state": "running", "data_interval_end": None}]}
PASSWORD = "secret"


class ApiServer(http.server.ThreadingHTTPServer):
    """Answers from a script, one response a request; a script that is over goes on with RUNS."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script: list[Any] = []
        self.tokens = 0
        self.anonymous = False
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        response = self.server.script.pop(0) if self.server.script else (200, RUNS)
        if response == "close":
            self.connection.close()
        elif response == "no json":
            self._send(200, b"<html>")
        elif response == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.connection.close()
        elif not self.server.anonymous and self.headers.get("Authorization") != f"Bearer {self.server.tokens}":
            self._send(401, b'{"detail": "Unauthorized"}')
        else:
            status, body = response
            self._send(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def do_POST(self) -> None:
        login = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if login["password"] != PASSWORD:
            self._send(403, b'{"detail": "wrong password"}')
            return
        self.server.tokens += 1
        self._send(201, json.dumps({"access_token": str(self.server.tokens)}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class Client:
    """The client, its pauses and its reports."""

    def __init__(self, port: int, password: str = PASSWORD) -> None:
        self.pauses: list[float] = []
        self.reports: list[str] = []
        self.airflow = AirflowClient(port, "admin", password, self.pauses.append, self.reports.append)

    def newest(self) -> list[DagRun]:
        return list(DagRuns(self.airflow).newest())


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.close()


EXPECTED = [DagRun("one", "running", None)]


def queued(*seconds_ago: float) -> tuple[int, dict[str, Any]]:
    """The response that lists tasks which were handed to the workers so long ago."""
    since = [datetime.fromtimestamp(time.time() - seconds, UTC).isoformat() for seconds in seconds_ago]
    return 200, {"task_instances": [{"queued_when": instant} for instant in since]}


@pytest.mark.parametrize(
    "failure",
    [
        (500, {"detail": "Internal Server Error"}),
        (500, b"Internal Server Error"),
        (503, b""),
        (429, {"detail": "too many"}),
        "close",
        "no json",
        "cut",
    ],
)
def test_a_server_that_fails_is_waited_for(server: ApiServer, failure: Any) -> None:
    client = Client(server.server_port)
    assert client.newest() == EXPECTED
    server.script = [failure, failure, failure]
    assert client.newest() == EXPECTED
    assert len(client.pauses) == 3
    assert len(client.reports) == 2
    assert client.reports[0].startswith("Airflow's api-server: waiting, ")
    assert client.reports[1] == "Airflow's api-server: going on"


def test_a_server_that_is_absent_is_waited_for() -> None:
    port = free_port()
    client = Client(port)
    servers: list[ApiServer] = []

    def pause(seconds: float) -> None:
        client.pauses.append(seconds)
        if len(client.pauses) == 3:
            servers.append(ApiServer(port))

    client.airflow = AirflowClient(port, "admin", PASSWORD, pause, client.reports.append)
    try:
        assert client.newest() == EXPECTED
    finally:
        for server in servers:
            server.close()
    assert len(client.reports) == 2


def test_a_restarted_server_forgets_tokens(server: ApiServer) -> None:
    client = Client(server.server_port)
    assert client.newest() == EXPECTED
    server.tokens += 1
    assert client.newest() == EXPECTED
    assert client.reports == []


def test_a_refusal_is_an_error_and_not_waited_for(server: ApiServer) -> None:
    client = Client(server.server_port)
    client.newest()
    server.script = [(409, {"detail": "exists"})]
    with pytest.raises(StrandlineError, match=r"refused GET .*exists"):
        client.newest()
    assert client.pauses == []


def test_a_refusal_without_json_is_one_too(server: ApiServer) -> None:
    client = Client(server.server_port)
    client.newest()
    server.script = [(404, b"<html>no such page")]
    with pytest.raises(StrandlineError, match=r"refused GET .*no such page"):
        client.newest()
    assert client.pauses == []


def test_a_wrong_password_is_an_error(server: ApiServer) -> None:
    with pytest.raises(StrandlineError, match="wrong password"):
        Client(server.server_port, "other").newest()


def test_health_never_waits(server: ApiServer) -> None:
    client = Client(free_port())
    assert not client.airflow.is_healthy()
    assert not client.airflow.has_heartbeat("scheduler", 100)
    assert client.pauses == []


HEALTHY = {"metadatabase": {"status": "healthy"}}


@pytest.mark.parametrize(
    ("response", "healthy"), [((200, HEALTHY), True), ((500, HEALTHY), False), ((200, ["healthy"]), False)]
)
def test_health_is_what_a_well_answer_says(server: ApiServer, response: Any, healthy: bool) -> None:
    client = Client(server.server_port)
    server.anonymous = True
    server.script = [response]
    assert client.airflow.is_healthy() is healthy


@pytest.mark.parametrize(
    ("seconds", "uptime", "taken"),
    [
        ((), 100, True),
        ((3, 10), 100, True),
        ((3, 25), 100, False),
        ((25,), 15, True),  # handed to the workers of an earlier life of the scheduler
    ],
)
def test_a_task_that_no_worker_takes_is_noticed(
    server: ApiServer, seconds: tuple[float, ...], uptime: float, taken: bool
) -> None:
    client = Client(server.server_port)
    client.newest()
    server.script = [queued(*seconds)]
    assert client.airflow.workers_take_tasks(uptime) is taken


@pytest.mark.parametrize("response", [(200, {"task_instances": [{"queued_when": None}]}), (403, {}), (500, {})])
def test_what_cannot_be_asked_about_the_queue_is_no_fault_of_the_workers(server: ApiServer, response: Any) -> None:
    client = Client(server.server_port)
    client.newest()
    server.script = [response]
    assert client.airflow.workers_take_tasks(100)
    assert client.pauses == []
