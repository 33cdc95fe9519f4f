"""The sessions that the docs show are run, and must go as they are shown."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import text

from strandline.store.roles import Role
from tests.conftest import Database
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SIM_PORTS = {"3001": "--hyperliquid-port", "8899": "--solana-port", "3002": "--jupiter-port", "3003": "--control-port"}
"""Shown as they are by default; run on others, because the default ones may be in use."""

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_SQL = re.compile(r"```sql\n(.*?)```", re.DOTALL)
_END = "=== that was all of it ==="


def sessions() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each console block with its commands and what they are said to print."""
    for page in PAGES:
        for number, block in enumerate(_BLOCK.findall(page.read_text()), start=1):
            yield f"{page.name} {number}", [step_of(step) for step in block.removeprefix("$ ").split("\n$ ")]


def step_of(text: str) -> tuple[str, str]:
    """A command, whose further lines begin with `> `, and what it prints."""
    first, *lines = text.rstrip("\n").split("\n")
    more = [line for line in lines if line == ">" or line.startswith("> ")]
    return "\n".join([first, *(line[2:] for line in more)]), "\n".join(lines[len(more) :])


SESSIONS = dict(sessions())


def matches(shown: str, printed: str) -> bool:
    """Whether it was printed so; an ellipsis stands for anything."""
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown))
    return re.fullmatch(pattern, printed.strip("\n"), re.DOTALL) is not None


def on_ports(text: str, ports: dict[str, int]) -> str:
    """The text with the ports of this run in place of those that it shows."""
    for shown, port in ports.items():
        text = re.sub(rf"\b{shown}\b", str(port), text)
    return text


def said(shell: subprocess.Popen[str], command: str) -> str:
    """What the command prints in this shell."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{command}\nprintf '\\n%s\\n' '{_END}'\n")
    shell.stdin.flush()
    return "".join(_until_end(shell.stdout))


def _until_end(output: IO[str]) -> Iterator[str]:
    for line in output:
        if line.rstrip("\n") == _END:
            return
        yield line


def test_there_are_sessions() -> None:
    assert {"README.md 1", "simulated-venues.md 1", "simulated-venues.md 2"} <= set(SESSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_goes_as_shown(name: str, tmp_path: Path) -> None:
    ports = {shown: free_port() for shown in SIM_PORTS}
    flags = " ".join(f"{flag} {ports[shown]}" for shown, flag in SIM_PORTS.items())
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STRANDLINE_", "AIRFLOW", "PG"))}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "STRANDLINE_HOME": str(tmp_path / "home"),
        "STRANDLINE_ENV_FILE": "/dev/null",
        "STRANDLINE_AIRFLOW_PORT": str(free_port()),
        "NO_PROXY": "127.0.0.1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    with subprocess.Popen(
        ["/bin/sh"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            for command, shown in SESSIONS[name]:
                printed = said(shell, on_ports(command.replace("strandline sim", f"strandline sim {flags}"), ports))
                assert matches(on_ports(shown, ports), printed), f"$ {command}\n{printed}\nis not\n{shown}"
        finally:
            said(shell, "strandline pg stop")
            os.killpg(shell.pid, signal.SIGKILL)


def test_every_statement_of_the_docs_is_one_that_postgres_takes(database: Database) -> None:
    statements = [
        statement for page in PAGES for block in _SQL.findall(page.read_text()) for statement in block.split(";\n")
    ]
    assert len(statements) >= 3
    with database.session(Role.UI) as connection:
        for statement in filter(str.strip, statements):
            connection.execute(text(statement))
