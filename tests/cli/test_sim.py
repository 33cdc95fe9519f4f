"""`strandline sim`: opens, answers, closes."""

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Command

ANY_PORTS = [f"--{name}-port=0" for name in ("hyperliquid", "solana", "jupiter", "control")]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command in a process of its own, once it listens; and where."""
    with subprocess.Popen([*COMMAND, "sim", *ANY_PORTS, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            endpoints = {}
            for line in process.stdout:
                if "Ready" in line:
                    break
                name, url = line.split()
                endpoints[name] = url
            yield process, endpoints
        finally:
            process.kill()


def post(url: str, body: object) -> object:
    """JSON there and back."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_it_opens_answers_and_closes(tmp_path: Path, ended_by: signal.Signals) -> None:
    tape = tmp_path / "tape.jsonl"
    with running(
        "--stepped", "--symbols", "ETH,BTC", "--made-up", "300", "--start", "2026-03-01T00:00:00", "--tape", str(tape)
    ) as (
        process,
        at,
    ):
        meta = post(f"{at['hyperliquid']}/info", {"type": "meta"})
        assert isinstance(meta, dict)
        names = [asset["name"] for asset in meta["universe"]]
        assert names[:3] == ["ETH", "BTC", "SIM001"]
        assert len(set(names)) == len(names) >= 302
        slot = post(at["solana"], {"jsonrpc": "2.0", "id": 1, "method": "getHealth"})
        assert slot == {"jsonrpc": "2.0", "result": "ok", "id": 1}
        post(f"{at['control']}/deposit", {"address": "0x" + "1" * 40, "usdc": "5"})
        process.send_signal(ended_by)
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in tape.read_text().splitlines()]
    assert lines[-1]["data"]["usdc"] == "5.0"
    assert lines[-1]["at"] == 1_772_323_200_000


@pytest.mark.slow
def test_a_script_of_faults_is_obeyed(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nroute = "hyperliquid/info/meta"\nkind = "status"\nvalue = 502\n')
    with running("--stepped", "--faults", str(script)) as (_, at):
        with pytest.raises(urllib.error.HTTPError, match="502"):
            post(f"{at['hyperliquid']}/info", {"type": "meta"})
        post(f"{at['hyperliquid']}/info", {"type": "meta"})


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_line() -> None:
    with running("--stepped") as (_, at):
        port = re.search(r"\d+$", at["control"])
        assert port is not None
        again = [*COMMAND, "sim", *ANY_PORTS, "--control-port", port[0]]
        ended = subprocess.run(again, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert re.fullmatch(r"strandline: cannot start: .*; choose other ports.*\n", ended.stderr)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--symbols", "ABC"], "ABC not known, only BTC, ETH"),
        (["--speed", "0"], "speed must be above zero"),
        (["--starting-usdc", "plenty"], "--starting-usdc"),
        (["--starting-usdc", "-5"], "--starting-usdc"),
    ],
)
def test_what_makes_no_sense_is_one_line(strandline: Command, arguments: list[str], problem: str) -> None:
    ended = strandline("sim", *arguments)
    assert ended.code == 2
    assert problem in ended.err
    assert ended.err.count("\n") == 1


def test_a_script_that_makes_no_sense_is_one_line(strandline: Command, tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nroute = "x"\nkind = "explode"\n')
    ended = strandline("sim", "--faults", str(script))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "explode" in ended.err
