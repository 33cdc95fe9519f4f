"""The sessions that the docs show are run, and must go as they are shown."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def sessions() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each console block with its commands and what they are said to print."""
    for page in PAGES:
        for number, block in enumerate(_BLOCK.findall(page.read_text()), start=1):
            steps = [step.partition("\n")[::2] for step in block.removeprefix("$ ").split("\n$ ")]
            yield f"{page.name} {number}", [(command, told.strip("\n")) for command, told in steps]


SESSIONS = dict(sessions())


def matches(shown: str, printed: str) -> bool:
    """Whether it was printed so; an ellipsis stands for anything."""
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown))
    return re.fullmatch(pattern, printed.strip("\n"), re.DOTALL) is not None


def test_there_are_sessions() -> None:
    assert "README.md 1" in SESSIONS


@pytest.mark.slow
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_goes_as_shown(name: str, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STRANDLINE_", "AIRFLOW", "PG"))}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "STRANDLINE_HOME": str(tmp_path / "home"),
        "STRANDLINE_ENV_FILE": "/dev/null",
        "STRANDLINE_AIRFLOW_PORT": str(port),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    try:
        for command, shown in SESSIONS[name]:
            ended = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=300,
            )
            assert matches(shown, ended.stdout), f"$ {command}\n{ended.stdout}\nis not\n{shown}"
    finally:
        subprocess.run("strandline pg stop", shell=True, env=environment, check=False, capture_output=True, timeout=120)
