"""`strandline config`, run as the command that people run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from strandline.cli.main import main
from strandline.configuration import settings_schema
from tests.cli.conftest import COMMAND
from tests.settings.cases import LIVE, SECRET_PARTS, SOLANA_ON, WRONG, Wrong
from tests.settings.isolation import SettingsDir

CHECKOUT = Path(__file__).resolve().parents[2]


def config(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["strandline", "config", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def apply(wrong: Wrong, settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> str:
    """Apply the settings, and return what the command must print."""
    for variable, value in wrong.environment.items():
        monkeypatch.setenv(variable, settings_dir.fill_in(value))
    settings_dir.env_file.write_text(wrong.env_file)
    return "".join(f"strandline: {settings_dir.fill_in(fault)}\n" for fault in wrong.faults)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_fault_is_one_line_and_exit_code_2(
    wrong: Wrong, settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = apply(wrong, settings_dir, monkeypatch)
    assert config(monkeypatch, "show") == 2
    assert capsys.readouterr() == ("", expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["mode misspelt", "key cut short", "line with a colon", "live without address, by the seed name", "all at once"],
)
def test_the_process_ends_the_same_way(name: str, settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = apply(WRONG[name], settings_dir, monkeypatch)
    command = [*COMMAND, "config", "show"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (2, "", expected)


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int = 200
) -> dict[str, tuple[str, str]]:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert config(monkeypatch, "show") == 0
    rows = re.findall(r"│ (STRANDLINE_\w+) +│ (.*?) +│ (.*?) +│", capsys.readouterr().out)
    return {variable: (value, origin) for variable, value, origin in rows}


def test_show_prints_every_value_and_where_it_came_from(
    settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", "paper")
    monkeypatch.setenv("MAX_POSITION_SIZE_PCT", "5")
    settings_dir.env_file.write_text("STRANDLINE_HOME=[red]data\n")
    (settings_dir.secrets / "strandline_jupiter_api_key").write_text("jup-key")
    rows = shown(monkeypatch, capsys)
    assert list(rows) == [setting.variable for setting in settings_schema().settings]
    assert rows["STRANDLINE_MODE"] == ("paper", "environment")
    assert rows["STRANDLINE_MAX_POSITION_PCT"] == ("5", "environment (MAX_POSITION_SIZE_PCT)")
    assert rows["STRANDLINE_HOME"] == (str(settings_dir.env_file.parent / "[red]data"), ".env")
    assert rows["STRANDLINE_JUPITER_API_KEY"] == ("set", "secret file")
    assert rows["STRANDLINE_SOLANA_KEY"] == ("not set", "default")
    assert rows["STRANDLINE_SOLANA_ENABLED"] == ("true", "default")
    assert rows["STRANDLINE_HYPERLIQUID_URL"] == ("https://api.hyperliquid.xyz", "default")
    assert rows["STRANDLINE_JUPITER_URL"] == ("https://api.jup.ag", "default")


def test_show_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = {
        **LIVE,
        **SOLANA_ON,
        "STRANDLINE_JUPITER_API_KEY": "jup-key",
        "STRANDLINE_DATABASE_URL": "postgresql://me:pass-word@db/strandline",
        "STRANDLINE_DATABASE_URL_APP": "postgresql://app:pass-word@db/strandline",
    }
    for variable, value in secrets.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("COLUMNS", "200")
    assert config(monkeypatch, "show") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert not [part for part in SECRET_PARTS if part in out]


def test_show_survives_a_path_that_cannot_be_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", "/tmp/\udce9")
    assert shown(monkeypatch, capsys)["STRANDLINE_HOME"][0] == r"'/tmp/\udce9'"


@pytest.mark.parametrize(("command", "file"), [("docs", "docs/configuration.md"), ("example", ".env.example")])
def test_the_pages_are_those_that_the_code_writes(
    command: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whatever is set on this machine, and be it wrong, the pages are the same.
    monkeypatch.setenv("STRANDLINE_MODE", "lvie")
    assert config(monkeypatch, command) == 0
    assert capsys.readouterr().out == (CHECKOUT / file).read_text(encoding="utf-8"), (
        f"run: strandline config {command} > {file}"
    )
