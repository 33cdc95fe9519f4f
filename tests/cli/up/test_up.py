"""`strandline up`, whole: started from nothing, killed piece by piece, ended at any time."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strandline.cli.up.accounts import PRIVATE_VARIABLES
from strandline.cli.up.loopback import ask
from strandline.cli.up.processes import marked
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
        up.until(HEALTHY)
        yield up
        up.send(signal.SIGTERM)
        assert up.ended() == 0
        assert up.left() == []
        assert "did not end" not in "".join(up.said)


@pytest.fixture(scope="module")
def login(running: Up) -> tuple[int, str]:
    """Airflow's port, and a token for whoever has the printed password."""
    found = running.until(r"http://localhost:(\d+) \(user (\S+), password (\S+)\)")
    status, answer = ask(int(found[1]), "POST", "/auth/token", {"username": found[2], "password": found[3]})
    assert status == 201
    return int(found[1]), answer["access_token"]


def pids(up: Up) -> dict[str, int]:
    """Of the programs: the process that supervisord started, which marks itself with its own number."""
    found = {}
    for process in marked(up.place.home):
        root = process.environ().get("_STRANDLINE_UP_ROOT")
        command = " ".join(process.cmdline()).replace("_", "-")
        if root is None:
            found["supervisord"] = process.pid
        elif root == str(process.pid):
            words = {"venues": " sim ", "sidecar": " ingest"}
            found |= {name: process.pid for name in PROGRAMS if words.get(name, f" {name}") in command}
    return found


def test_airflow_is_well_and_has_a_pool_for_each_venue(login: tuple[int, str]) -> None:
    port, token = login
    _, health = ask(port, "GET", "/api/v2/monitor/health")
    assert {part: told["status"] for part, told in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )
    _, pools = ask(port, "GET", "/api/v2/pools", token=token)
    slots = {pool["name"]: pool["slots"] for pool in pools["pools"]}
    assert slots.items() >= {HYPERLIQUID_PERPS.slug: 2, SOLANA_ONCHAIN.slug: 2}.items()


def test_the_doctor_is_content(
    running: Up, login: tuple[int, str], strandline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", str(running.place.home))
    monkeypatch.setenv("STRANDLINE_AIRFLOW_PORT", str(login[0]))
    monkeypatch.setenv("AIRFLOW_HOME", str(running.place.airflow))
    ended = strandline("doctor")
    assert "FAIL" not in ended.out, ended.out
    assert re.search(r"ok +pools", ended.out)


def test_the_accounts_have_their_money(running: Up) -> None:
    ports = json.loads((running.place.state / "ports.json").read_text())
    accounts = json.loads((running.place.state / "accounts.json").read_text())
    state = _post(
        ports["hyperliquid"], "/info", {"type": "clearinghouseState", "user": accounts["hyperliquid_address"]}
    )
    assert float(state["marginSummary"]["accountValue"]) == 5000
    stranger = _post(ports["hyperliquid"], "/info", {"type": "clearinghouseState", "user": "0x" + "1" * 40})
    assert float(stranger["marginSummary"]["accountValue"]) == 0


def test_only_the_scheduler_and_its_workers_have_keys(running: Up) -> None:
    roots = pids(running)
    holders = {
        process.environ().get("_STRANDLINE_UP_ROOT")
        for process in marked(running.place.home)
        if set(PRIVATE_VARIABLES) & process.environ().keys()
    }
    assert holders == {str(roots["scheduler"])}


def test_it_talks_to_this_machine_only(running: Up) -> None:
    for process in marked(running.place.home):
        for connection in process.net_connections("inet"):
            for address in filter(None, (connection.laddr, connection.raddr)):
                assert address.ip == "127.0.0.1", (process.cmdline(), connection)


def test_a_second_one_is_refused(running: Up, strandline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", str(running.place.home))
    ended = strandline("up")
    assert ended.code == 1
    assert re.fullmatch(rf"strandline: strandline up runs here already \(pid {running.pid}, .*\); .*\n", ended.err)


def test_whatever_is_killed_comes_back(running: Up, login: tuple[int, str]) -> None:
    before = pids(running)
    assert before.keys() == {*PROGRAMS, "supervisord"}
    for name in PROGRAMS:
        os.kill(before[name], signal.SIGKILL)
        restarted = running.until(rf"{name} was killed \(SIGKILL\); restarted, pid (\d+)")
        assert int(restarted[1]) != before[name]
    server = EmbeddedPostgres(running.place.postgres)
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    running.until(r"postgres died; restarted, pid \d+")
    assert server.pid not in {None, first}
    supervisord = pids(running)["supervisord"]
    os.kill(supervisord, signal.SIGKILL)
    running.until("supervisord died.*restarted")
    awaited = set(PROGRAMS)
    while awaited:
        awaited -= {running.until(r"(\S+) is healthy again")[1]}
    after = pids(running)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    roots = {process.environ().get("_STRANDLINE_UP_ROOT") for process in marked(running.place.home)}
    assert roots == {str(pid) for name, pid in after.items() if name != "supervisord"} | {None}


def _post(port: int, path: str, body: object) -> Any:
    status, answer = ask(port, "POST", path, body)
    assert status == 200
    return answer
