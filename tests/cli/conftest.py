"""Runs the command as people do, without their settings."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from strandline.cli.main import main
from tests.settings.isolation import Place, isolate

IN_A_PROCESS: Final = (sys.executable, "-c", "from strandline.cli.main import main; main()")
"""The command, for whoever needs it in a process of its own; arguments follow."""


class Ended(NamedTuple):
    """How a command ended."""

    code: object
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """Where a test may leave settings; nobody's own are seen."""
    return isolate(monkeypatch, tmp_path)


@pytest.fixture
def strandline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command: `strandline("db", "status")`."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["strandline", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return Ended(end.value.code, told.out, told.err)

    return run
