"""Valid settings: the defaults of each mode, precedence of sources, names of variables."""

from dataclasses import FrozenInstanceError
from decimal import Decimal
from pathlib import Path

import pytest

from strandline.configuration import load_settings, load_settings_with_origins, make_settings
from strandline.settings import LogLevel, Mode, Source
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.settings import MAINNET_URL, TESTNET_URL
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.settings import JUPITER_MAINNET_URL, MAINNET_RPC_URL
from tests.settings.cases import (
    ADDRESS,
    ETHEREUM_KEY,
    LIVE,
    RPC_URL,
    SECRET_PARTS,
    SOLANA_KEY,
    SOLANA_KEY_NUMBERS,
    SOLANA_ON,
    TESTNET,
)
from tests.settings.isolation import SettingsDir


def set_all(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)


def test_nothing_set_is_sim_on_this_machine() -> None:
    settings = load_settings()
    assert settings.mode is Mode.SIM
    assert settings.database_url is None
    assert settings.initial_portfolio_value == Decimal(10000)
    assert settings.log_level is LogLevel.INFO
    assert settings.airflow_port == 8080
    assert settings.enabled_keys == (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)
    assert settings.venue_text("hyperliquid_url") is None
    assert settings.venue_text("solana_rpc_url") is None
    assert settings.venue_text("jupiter_url") is None
    assert settings.max_position_pct is None


def test_home_is_in_the_checkout() -> None:
    checkout = Path(__file__).resolve().parents[2]
    assert load_settings().home == checkout / ".strandline"


def test_paper_reads_the_main_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", "paper")
    settings = load_settings()
    assert settings.enabled_keys == (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)
    assert settings.venue_text("hyperliquid_url") == MAINNET_URL
    assert settings.venue_text("solana_rpc_url") == MAINNET_RPC_URL
    assert settings.venue_text("jupiter_url") == JUPITER_MAINNET_URL


def test_testnet_has_hyperliquid_only(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, TESTNET)
    settings = load_settings()
    assert settings.enabled_keys == (HYPERLIQUID_PERPS,)
    assert settings.venue_text("hyperliquid_url") == TESTNET_URL
    assert settings.venue_text("solana_rpc_url") is None
    assert settings.venue_text("jupiter_url") is None


def test_live_has_the_venues_that_were_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, LIVE)
    assert load_settings().enabled_keys == (HYPERLIQUID_PERPS,)
    set_all(monkeypatch, SOLANA_ON)
    settings = load_settings()
    assert settings.enabled_keys == (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)
    assert settings.venue_text("hyperliquid_url") == MAINNET_URL
    assert settings.venue_text("solana_rpc_url") == RPC_URL
    assert settings.venue_text("hyperliquid_address") == ADDRESS


def test_simulators_on_this_machine_are_allowed_in_sim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_URL", "http://127.0.0.1:9001/")
    monkeypatch.setenv("STRANDLINE_SOLANA_RPC_URL", "http://localhost:9002")
    monkeypatch.setenv("STRANDLINE_JUPITER_URL", "http://[::1]:9003")
    settings = load_settings()
    assert settings.venue_text("hyperliquid_url") == "http://127.0.0.1:9001"
    assert settings.venue_text("solana_rpc_url") == "http://localhost:9002"
    assert settings.venue_text("jupiter_url") == "http://[::1]:9003"


def test_a_venue_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_SOLANA_ENABLED", "Off")
    assert load_settings().enabled_keys == (HYPERLIQUID_PERPS,)


def test_the_environment_beats_the_env_file(settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_dir.env_file.write_text("STRANDLINE_AIRFLOW_PORT=9000\nexport STRANDLINE_LOG_LEVEL='debug' # all of it\n")
    monkeypatch.setenv("STRANDLINE_AIRFLOW_PORT", "9001")
    loaded = load_settings_with_origins()
    assert loaded.settings.airflow_port == 9001
    assert loaded.settings.log_level is LogLevel.DEBUG
    assert loaded.origins["airflow_port"].source is Source.ENVIRONMENT
    assert loaded.origins["log_level"].source is Source.ENV_FILE
    assert "mode" not in loaded.origins


def test_a_value_that_is_overridden_is_not_checked(settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_dir.env_file.write_text("STRANDLINE_MODE=lvie\n")
    monkeypatch.setenv("STRANDLINE_MODE", "paper")
    assert load_settings().mode is Mode.PAPER


def test_the_caller_may_name_the_env_file(tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text("STRANDLINE_MODE=paper\n")
    settings = load_settings(env_file=other)
    assert settings.mode is Mode.PAPER
    assert settings.env_file == other


def test_the_null_device_stands_for_no_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_ENV_FILE", "/dev/null")
    assert load_settings().mode is Mode.SIM


def test_other_lines_and_variables_are_ignored(settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_dir.env_file.write_text("AIRFLOW__CORE__PARALLELISM=8\nEXPORTED_ELSEWHERE\nSTRANDLINE_TEST_ANYTHING=1\n")
    monkeypatch.setenv("STRANDLINE_TEST_ANYTHING", "1")
    (settings_dir.secrets / "airflow_fernet_key").write_text("x")
    assert load_settings().mode is Mode.SIM


def test_secrets_come_from_files(settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**LIVE, **SOLANA_ON})
    for variable, secret in {"HYPERLIQUID_KEY": ETHEREUM_KEY, "SOLANA_KEY": SOLANA_KEY_NUMBERS}.items():
        monkeypatch.delenv(f"STRANDLINE_{variable}")
        (settings_dir.secrets / f"strandline_{variable.lower()}").write_text(f"{secret}\n")
    loaded = load_settings_with_origins()
    settings = loaded.settings
    assert settings.venue_text("hyperliquid_key") == ETHEREUM_KEY
    assert settings.venue_text("solana_key") == SOLANA_KEY_NUMBERS
    assert loaded.origins["solana_key"].source is Source.SECRETS_DIRECTORY


def test_a_secret_may_be_given_twice_if_it_is_the_same(
    settings_dir: SettingsDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", "postgresql://me:pass-word@db/strandline")
    (settings_dir.secrets / "strandline_database_url").write_text("postgres://me:pass-word@db/strandline")
    assert load_settings().database_url


def test_seed_names_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {
        "INITIAL_PORTFOLIO_VALUE": "2500.5",
        "MAX_POSITION_SIZE_PCT": "5.0",
        "MAX_DAILY_LOSS_PCT": "6",
        "MAX_DRAWDOWN_PCT": "20.0",
        "MAX_CONSECUTIVE_LOSSES": "7",
        "HYPERLIQUID_EXECUTOR_ENABLED": "0",
    }
    set_all(monkeypatch, seeds)
    loaded = load_settings_with_origins()
    settings = loaded.settings
    assert settings.initial_portfolio_value == Decimal("2500.5")
    assert settings.max_position_pct == Decimal(5)
    assert settings.max_daily_loss_pct == Decimal(6)
    assert settings.max_drawdown_pct == Decimal(20)
    assert settings.max_consecutive_losses == 7
    assert settings.enabled_keys == (SOLANA_ONCHAIN,)
    assert loaded.origins["max_position_pct"].variable == "MAX_POSITION_SIZE_PCT"


def test_both_names_are_accepted_if_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_POSITION_SIZE_PCT", "5.0")
    monkeypatch.setenv("STRANDLINE_MAX_POSITION_PCT", "5")
    assert load_settings().max_position_pct == Decimal(5)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("postgres://me:pass-word@db:5433/strandline", "postgresql+psycopg2://me:pass-word@db:5433/strandline"),
        ("postgresql:///strandline?host=/tmp", "postgresql+psycopg2:///strandline?host=/tmp"),
        ("postgresql+psycopg2://db/strandline", "postgresql+psycopg2://db/strandline"),
        ("postgresql://me:p%40ss#word@db/strandline", "postgresql+psycopg2://me:p%40ss#word@db/strandline"),
    ],
)
def test_the_database_url_is_brought_into_one_form(given: str, normal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", given)
    url = load_settings().database_url
    assert url
    assert url.get_secret_value() == normal


def test_paths_become_absolute(settings_dir: SettingsDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path.resolve() / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("STRANDLINE_HOME", "data")
    assert load_settings().home == elsewhere / "data"
    # In .env it is meant from there: from wherever a command is run, it must find the same database.
    monkeypatch.delenv("STRANDLINE_HOME")
    settings_dir.env_file.write_text("STRANDLINE_HOME=data\n")
    assert load_settings().home == settings_dir.env_file.parent / "data"


def test_a_tilde_is_the_users_home(settings_dir: SettingsDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path.resolve()))
    settings_dir.env_file.write_text("STRANDLINE_HOME=~/data\n")
    assert load_settings().home == tmp_path.resolve() / "data"


def test_own_shares_may_be_set_without_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_INITIAL_VALUE", "0")
    monkeypatch.setenv("STRANDLINE_SOLANA_INITIAL_VALUE", "300.25")
    assert load_settings().venue_values["solana_initial_value"] == Decimal("300.25")
    monkeypatch.setenv("STRANDLINE_INITIAL_PORTFOLIO_VALUE", "300.250")
    assert load_settings().initial_portfolio_value == Decimal("300.25")


def test_settings_are_frozen_and_hide_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**LIVE, **SOLANA_ON, "STRANDLINE_JUPITER_API_KEY": "jup-key"})
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", "postgresql://me:pass-word@db/strandline")
    loaded = load_settings_with_origins()
    for text in (repr(loaded), str(loaded.settings)):
        assert not [part for part in (*SECRET_PARTS, SOLANA_KEY) if part in text]
    with pytest.raises(FrozenInstanceError):
        loaded.settings.mode = Mode.PAPER  # type: ignore[misc]


def test_settings_made_by_hand_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", "paper")
    settings = make_settings(solana_enabled=None, max_position_pct=Decimal("2.5"), home=Path("/tmp"))
    assert settings.mode is Mode.SIM
    assert settings.max_position_pct == Decimal("2.5")


@pytest.mark.parametrize("mode", ["sim", "paper"])
def test_no_keys_are_missing_where_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", mode)
    assert load_settings().missing_keys == ()


def test_a_process_without_keys_starts_and_says_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: value for name, value in (LIVE | SOLANA_ON).items() if not name.endswith("_KEY")}
    set_all(monkeypatch, without)
    assert load_settings().missing_keys == ("hyperliquid_key", "solana_key")
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_KEY", ETHEREUM_KEY)
    assert load_settings().missing_keys == ("solana_key",)
