"""Every wrong, missing or contradictory setting is reported in one line that names it, and nothing else is."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strandline.configuration import load_settings, make_settings, settings_schema
from strandline.model.errors import ConfigurationError
from strandline.settings import Mode
from tests.settings.cases import ADDRESS, ETHEREUM_KEY, LIVE, SECRET_PARTS, SOLANA_KEY, WRONG, Wrong
from tests.settings.isolation import SettingsDir


def faults() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.__context__ is None, "what led to the fault may hold a secret"
    return caught.value.faults


def faults_if_any() -> list[str]:
    try:
        load_settings()
    except ConfigurationError as error:
        return error.faults
    return []


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_each_fault_is_reported_in_one_line(
    wrong: Wrong, settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in wrong.environment.items():
        monkeypatch.setenv(variable, settings_dir.fill_in(value))
    settings_dir.env_file.write_text(wrong.env_file)
    reported = faults()
    assert reported == [settings_dir.fill_in(fault) for fault in wrong.faults]
    assert all(len(fault.splitlines()) == 1 for fault in reported)
    assert not [part for part in SECRET_PARTS for fault in reported if part in fault]


def test_a_secret_in_variable_and_file_must_agree(settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_KEY", ETHEREUM_KEY)
    (settings_dir.secrets / "strandline_hyperliquid_key").write_text("0x" + "6f" * 32)
    [fault] = faults()
    assert fault == (
        "STRANDLINE_HYPERLIQUID_KEY (environment) and STRANDLINE_HYPERLIQUID_KEY "
        "(secret file strandline_hyperliquid_key) have different values; keep one of them"
    )


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (
            "strandline_hyperliquid_key",
            b"0x12\n",
            "STRANDLINE_HYPERLIQUID_KEY is not 0x followed by 64 hexadecimal digits; write one such as 0x…",
        ),
        (
            "strandline_solana_key",
            b"\n",
            "STRANDLINE_SOLANA_KEY is empty; remove the line or give a value",
        ),
        (
            "strandline_solana_key",
            b"\xff",
            "secret file strandline_solana_key is not UTF-8 text; save it as UTF-8",
        ),
        (
            "strandline_solana_kye",
            b"x",
            "secret file strandline_solana_kye is not a secret; did you mean strandline_solana_key?",
        ),
        (
            "strandline_mode",
            b"live",
            "secret file strandline_mode is not a secret; remove it, or see `strandline config docs`",
        ),
    ],
)
def test_a_faulty_secret_file_is_reported(name: str, content: bytes, fault: str, settings_dir: SettingsDir) -> None:
    (settings_dir.secrets / name).write_bytes(content)
    location = f" (secret file {name})" if fault.startswith("STRANDLINE_") else ""
    assert faults() == [f"{fault}{location}"]


def test_a_secret_that_is_a_directory_is_reported(settings_dir: SettingsDir) -> None:
    (settings_dir.secrets / "strandline_solana_key").mkdir()
    assert faults() == [
        "secret file strandline_solana_key cannot be read (Is a directory); make it a file that this user may read"
    ]


def test_an_env_file_that_is_not_text_is_reported(settings_dir: SettingsDir) -> None:
    settings_dir.env_file.write_bytes(b"STRANDLINE_MODE=\xff\n")
    assert faults() == [".env is not UTF-8 text; save it as UTF-8"]


def test_an_env_file_that_the_caller_names_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^STRANDLINE_ENV_FILE is '.*none', which is not an existing file"):
        load_settings(env_file=tmp_path / "none")


def test_settings_made_by_hand_are_refused_too() -> None:
    with pytest.raises(ConfigurationError, match="STRANDLINE_MODE is live, but no venue is on"):
        make_settings(mode=Mode.LIVE)
    with pytest.raises(ConfigurationError, match="hyperliquid_kye is not a setting"):
        make_settings(hyperliquid_kye=ETHEREUM_KEY)
    with pytest.raises(ConfigurationError, match="not one of sim, paper, testnet, live") as caught:
        make_settings(mode="lvie", hyperliquid_key=ETHEREUM_KEY[:-1], solana_key=SOLANA_KEY[:-1])
    assert caught.value.__context__ is None
    assert not [part for part in SECRET_PARTS if part[:-1] in str(caught.value)]


ENVIRONMENT_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(ENVIRONMENT_TEXT)
@example("live\u2028x")
@example("{mode}")
def test_any_text_as_a_mode_is_a_mode_or_one_line(text: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STRANDLINE_MODE", text)
        for variable, value in LIVE.items():
            if variable != "STRANDLINE_MODE":
                environment.setenv(variable, value)
        if text.strip() in set(Mode):
            assert load_settings().mode == text.strip()
        else:
            [fault] = faults()
            assert fault.startswith("STRANDLINE_MODE is ")
            assert len(fault.splitlines()) == 1


VARIABLES = [setting.variable for setting in settings_schema().settings]


@given(st.sampled_from(VARIABLES), ENVIRONMENT_TEXT | st.text(string.digits + ".-+eE[]:/@", max_size=30))
def test_any_text_in_any_variable_is_accepted_or_reported_in_lines_that_name_it(variable: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(variable, text)
        reported = faults_if_any()
    assert all(len(fault.splitlines()) == 1 and variable in fault for fault in reported)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0="), max_size=40))
@example("")
@example("MODE ")
@example("{mode}")
def test_any_unknown_name_is_refused(tail: str) -> None:
    variable = f"STRANDLINE_{tail}"
    if variable in VARIABLES or variable.startswith("STRANDLINE_TEST_"):
        return
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(variable, "value-of-it")
        [fault] = faults()
    assert "is not a setting; " in fault
    assert "value-of-it" not in fault
    assert len(fault.splitlines()) == 1


@given(st.text(max_size=200) | st.text("SSTRANDLINE_MODE=live'\"\\#\n\r\t ${}", max_size=60))
def test_any_env_file_is_read_or_reported_in_one_line_each(text: str) -> None:
    env_file = Path(os.environ["STRANDLINE_ENV_FILE"])
    env_file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert all(len(fault.splitlines()) == 1 for fault in faults_if_any())


def test_the_keys_of_these_tests_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_SOLANA_KEY", SOLANA_KEY)
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_KEY", ETHEREUM_KEY)
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_ADDRESS", ADDRESS)
    assert load_settings().venue_text("hyperliquid_address") == ADDRESS
