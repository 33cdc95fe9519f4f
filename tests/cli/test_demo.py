"""The demo, as a person runs it, where nothing outside of the machine can be reached."""

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from strandline.store.postgres.server import EmbeddedPostgres

pytestmark = pytest.mark.slow

_UP_FLAGS = struct.pack("16sH14s", b"lo", 0x1 | 0x40, b"")
_SET_FLAGS = 0x8914
_LOOPBACK_AND_RUN = "import sys; from tests.cli.test_demo import run_with_loopback; run_with_loopback(sys.argv[1:])"


def run_with_loopback(command: list[str]) -> None:
    """In a network namespace of its own: switch its loopback on, and become the command."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, _UP_FLAGS)
    os.execv(command[0], command)


def without_network(command: list[str]) -> list[str]:
    """The command in a namespace that has a loopback and no routes."""
    own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    allowed = (
        shutil.which("unshare") and subprocess.run([*own, "true"], capture_output=True, check=False).returncode == 0
    )
    if not allowed:
        pytest.skip("this system lets nobody make a network namespace")
    return [*own, sys.executable, "-c", _LOOPBACK_AND_RUN, *command]


@dataclass(frozen=True)
class Demo:
    """How one went, and what it left."""

    code: int
    said: str
    strandline: dict[str, list[Any]]
    xcom: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One cycle of it."""
    home = tmp_path_factory.mktemp("demo")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STRANDLINE_", "AIRFLOW"))}
    environment |= {"STRANDLINE_HOME": str(home), "STRANDLINE_ENV_FILE": "/dev/null", "HOME": str(home)}
    ended = subprocess.run(
        without_network([sys.executable, "-m", "strandline.cli.main", "demo", "--once"]),
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=420,
    )
    with EmbeddedPostgres(home / "postgres") as postgres:
        yield Demo(ended.returncode, ended.stdout, _strandline(postgres.url()), _xcom(postgres.url("airflow")))


def _strandline(url: str) -> dict[str, list[Any]]:
    queries = {
        "venues that filled": "SELECT DISTINCT token_chain FROM fills ORDER BY 1",
        "tasks": "SELECT task_id FROM runs WHERE succeeded ORDER BY 1",
        "kinds of runs": "SELECT DISTINCT run_type FROM runs",
        "failed tasks": "SELECT task_id, summary FROM runs WHERE succeeded IS NOT TRUE",
        "chains": """SELECT DISTINCT ON (chain) chain, seq, hash FROM strands
                     WHERE cycle_t = (SELECT max(cycle_t) FROM cycles) ORDER BY chain, seq DESC""",
        "findings": "SELECT suite, error FROM quality_runs WHERE NOT succeeded",
    }
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return {name: [tuple(row) for row in connection.execute(text(query))] for name, query in queries.items()}


def _xcom(url: str) -> dict[str, Any]:
    """What each execution returned."""
    query = "SELECT task_id, value FROM xcom WHERE key = 'return_value' AND task_id LIKE 'execute%'"
    with create_engine(url, poolclass=NullPool).connect() as connection:
        values = {row.task_id: row.value for row in connection.execute(text(query))}
    return {name: json.loads(value) if isinstance(value, str) else value for name, value in values.items()}


def test_it_ends_well(demo: Demo) -> None:
    assert demo.code == 0, demo.said[-5000:]
    assert "our books equal the venues' tapes" in demo.said
    assert "the cycle is complete" in demo.said
    assert "The market: 1h dip, 1d good" in demo.said
    assert "Not known yet" not in demo.said


def test_every_task_was_green(demo: Demo) -> None:
    assert demo.strandline["failed tasks"] == []
    assert demo.strandline["findings"] == []
    assert demo.strandline["kinds of runs"] == [("scheduled",)]
    assert {task for (task,) in demo.strandline["tasks"]} == {
        "begin_cycle",
        "observe_venues",
        "roll_up_bars",
        "check_quality",
        "run_engine",
        "check_signals",
        "plan_intents",
        "choose_venues",
        "execute__hyperliquid__perps",
        "execute__solana__onchain_crypto",
        "audit_strands",
    }


def test_orders_were_filled_on_each_venue(demo: Demo) -> None:
    assert demo.strandline["venues that filled"] == [("hyperliquid",), ("solana",)]


def test_the_strands_are_those_that_xcom_names(demo: Demo) -> None:
    named = sorted((value["chain"], value["last_seq"], value["last_hash"]) for value in demo.xcom.values())
    assert len(named) == 2
    assert named == demo.strandline["chains"]
