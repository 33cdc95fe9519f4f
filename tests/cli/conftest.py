"""Runs the command, apart from the settings of the machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from strandline.cli.main import main
from tests.settings.isolation import SettingsDir, isolate

COMMAND: Final = (sys.executable, "-c", "from strandline.cli.main import main; main()")
"""The command as a process of its own, without arguments."""


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: object
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture(autouse=True)
def settings_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SettingsDir:
    """The settings that the command finds; those of the machine are hidden."""
    return isolate(monkeypatch, tmp_path)


@pytest.fixture
def strandline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command: `strandline("db", "status")`."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["strandline", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Ended(end.value.code, captured.out, captured.err)

    return run
