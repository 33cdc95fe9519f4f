"""`strandline up`, whole: started from nothing, each part killed, ended by SIGTERM."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from strandline.cli.up.loopback import request
from strandline.cli.up.processes import PROGRAM, find_processes
from strandline.cli.up.simulation import private_variables
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.cli.conftest import Command
from tests.cli.up.running import HEALTHY, Up

pytestmark = pytest.mark.slow

PROGRAMS = ("venues", "sidecar", "api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "a home"


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Up]:
    """One system for all tests that leave it running; it ends with SIGTERM and nothing may be left."""
    with Up(home) as up:
        up.wait_for(HEALTHY)
        yield up
        up.send(signal.SIGTERM)
        assert up.wait_for_end() == 0
        assert up.remaining() == []
        assert "did not end" not in "".join(up.printed)


@pytest.fixture(scope="module")
def login(running: Up) -> tuple[int, str]:
    """Airflow's port, and a token for whoever has the printed password."""
    found = running.wait_for(r"http://localhost:(\d+) \(user (\S+), password (\S+)\)")
    status, answer = request(int(found[1]), "POST", "/auth/token", {"username": found[2], "password": found[3]})
    assert status == 201
    return int(found[1]), answer["access_token"]


def pids(up: Up) -> dict[str, int]:
    """The programs by name: each leads a session of its own."""
    processes = find_processes(up.paths.home)
    return {process.environ()[PROGRAM]: process.pid for process in processes if os.getsid(process.pid) == process.pid}


def test_airflow_is_well_and_has_a_pool_for_each_venue(login: tuple[int, str]) -> None:
    port, token = login
    _, health = request(port, "GET", "/api/v2/monitor/health")
    assert {part: status["status"] for part, status in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )
    _, pools = request(port, "GET", "/api/v2/pools", token=token)
    slots = {pool["name"]: pool["slots"] for pool in pools["pools"]}
    assert slots.items() >= {HYPERLIQUID_PERPS.slug: 2, SOLANA_ONCHAIN.slug: 2}.items()


def test_the_doctor_finds_no_fault(
    running: Up, login: tuple[int, str], strandline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", str(running.paths.home))
    monkeypatch.setenv("STRANDLINE_AIRFLOW_PORT", str(login[0]))
    monkeypatch.setenv("AIRFLOW_HOME", str(running.paths.airflow))
    ended = strandline("doctor")
    assert "FAIL" not in ended.out, ended.out
    assert re.search(r"ok +pools", ended.out)


def test_the_accounts_have_their_money(running: Up) -> None:
    sidecar = next(one for one in find_processes(running.paths.home) if one.environ()[PROGRAM] == "sidecar")
    port = int(sidecar.environ()["STRANDLINE_HYPERLIQUID_URL"].rpartition(":")[2])
    accounts = json.loads((running.paths.state / "accounts.json").read_text())
    state = _post(port, "/info", {"type": "clearinghouseState", "user": accounts["hyperliquid"]["address"]})
    assert float(state["marginSummary"]["accountValue"]) == 5000
    stranger = _post(port, "/info", {"type": "clearinghouseState", "user": "0x" + "1" * 40})
    assert float(stranger["marginSummary"]["accountValue"]) == 0


def test_only_the_scheduler_and_its_workers_have_keys(running: Up) -> None:
    environments = [process.info["environ"] for process in find_processes(running.paths.home)]
    holders = {environment[PROGRAM] for environment in environments if private_variables() & environment.keys()}
    assert holders == {"scheduler"}


def test_it_talks_to_this_machine_only(running: Up) -> None:
    seen = set()
    for process in find_processes(running.paths.home):
        with suppress(psutil.NoSuchProcess):  # the one that parses the DAG file comes and goes
            for connection in process.net_connections("inet"):
                seen.add(process.info["environ"][PROGRAM])
                for address in filter(None, (connection.laddr, connection.raddr)):
                    assert address.ip == "127.0.0.1", (process.info["environ"][PROGRAM], connection)
    assert seen >= {"venues", "sidecar", "api-server"}


def test_a_second_one_is_refused(running: Up, strandline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", str(running.paths.home))
    ended = strandline("up")
    assert ended.code == 1
    assert re.fullmatch(rf"strandline: strandline up runs here already \(pid {running.pid}, .*\); .*\n", ended.err)


def test_whatever_is_killed_comes_back(running: Up, login: tuple[int, str]) -> None:
    before = pids(running)
    assert before.keys() == set(PROGRAMS)
    lives = {process.pid for process in find_processes(running.paths.home)}
    server = EmbeddedPostgres(running.paths.postgres)
    first = server.pid
    assert first is not None
    for pid in (*before.values(), first):
        os.kill(pid, signal.SIGKILL)
    restarted: set[str] = set()
    healthy: set[str] = set()
    while healthy != set(PROGRAMS) or restarted != {*PROGRAMS, "postgres"}:
        found = running.wait_for(
            r"(\S+) (?:(?:was killed \(SIGKILL\)|died); restarted, pid \d+; see .*\.log$|is healthy again)"
        )
        (healthy if "healthy" in found[0] else restarted).add(found[1])
        healthy.discard("postgres")
    after = pids(running)
    assert after.keys() == before.keys()
    assert server.pid not in {None, first}
    # Nothing of an earlier life goes on, such as the workers of the killed scheduler.
    assert not lives & {process.pid for process in find_processes(running.paths.home)}


def _post(port: int, path: str, body: object) -> Any:
    status, answer = request(port, "POST", path, body)
    assert status == 200
    return answer
