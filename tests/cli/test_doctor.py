"""`strandline doctor`: well on a healthy machine, and each fault has its line."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from strandline.cli.doctor import airflow, host, sidecars
from strandline.cli.doctor.check import Outcome
from strandline.configuration import load_settings, make_settings
from strandline.settings import Mode, Settings
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.ports import free_port
from tests.settings.isolation import SettingsDir
from tests.store.rows import insert

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_airflow_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in list(os.environ):
        if variable.startswith("AIRFLOW"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STRANDLINE_AIRFLOW_PORT", str(free_port()))


def line(out: str, name: str) -> str:
    """The line of this check, without the spaces that align it."""
    return "\n".join(" ".join(row.split()) for row in out.splitlines() if row[6:].startswith(name))


@pytest.mark.slow
def test_a_new_users_way_to_a_healthy_machine(
    strandline: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRANDLINE_HOME", str(tmp_path / "a home"))
    first = strandline("doctor")
    assert first.code == 1
    assert line(first.out, "postgres").endswith("start it: strandline pg start")
    try:
        assert strandline("pg", "start").code == 0
        second = strandline("doctor")
        assert second.code == 1
        assert line(second.out, "migrations") == "FAIL migrations the database is empty; run: strandline db migrate"
        assert line(second.out, "roles").startswith("FAIL roles strandline_owner")
        assert strandline("db", "migrate").code == 0
        third = strandline("doctor")
        assert third.code == 0, third.out
        assert "FAIL" not in third.out
        assert line(third.out, "packages").startswith("ok")
        assert line(third.out, "clock") == "ok clock agrees with the database's clock"
    finally:
        assert strandline("pg", "stop").code == 0
    assert strandline("doctor").code == 1


def test_wrong_settings_are_reported_among_the_checks(strandline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", "lvie")
    monkeypatch.setenv("STRANDLINE_LOG_LEVEL", "loud")
    ended = strandline("doctor")
    assert ended.code == 1
    assert line(ended.out, "settings").count("FAIL settings STRANDLINE_") == 2
    assert line(ended.out, "python").startswith("ok")


def test_a_wrong_strategy_is_reported(strandline: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[exits]\nstop_pct = -1\n")
    monkeypatch.setenv("STRANDLINE_STRATEGY_FILE", str(tmp_path / "mine.toml"))
    assert line(strandline("doctor").out, "strategy").startswith("FAIL strategy")


def test_a_package_that_is_not_as_locked_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        f"sqlalchemy==1.0.0 \\\n    --hash=sha256:00\nsurely-not-installed==1 \\\nrich=={metadata.version('rich')}\n"
        'colorama==0.1 ; sys_platform == "win32"\n'
    )
    check = host.packages(lock)
    assert check.outcome is Outcome.FAILED
    assert f"sqlalchemy is {metadata.version('sqlalchemy')}, locked is ==1.0.0" in check.found
    assert "surely-not-installed is missing" in check.found
    assert "rich" not in check.found
    assert "colorama" not in check.found
    assert check.remedy == "run: make clean setup"


def test_without_a_checkout_there_is_nothing_to_compare_packages_with(tmp_path: Path) -> None:
    assert host.packages(tmp_path / "requirements.txt").outcome is Outcome.SKIPPED


@pytest.mark.parametrize(("needed", "advised", "outcome"), [(0, 0, "ok"), (0, 2**60, "warn"), (2**60, 2**61, "FAIL")])
def test_disk(monkeypatch: pytest.MonkeyPatch, needed: int, advised: int, outcome: str) -> None:
    monkeypatch.setattr(host, "_DISK_NEEDED", needed)
    monkeypatch.setattr(host, "_DISK_ADVISED", advised)
    assert host.disk(load_settings()).outcome == outcome


@contextmanager
def web_server(body: bytes, seconds_off: float = 0) -> Iterator[int]:
    """A server on this machine that responds to everything with this, and has a clock that may be wrong."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_error(405)

        def date_time_string(self, timestamp: float | None = None) -> str:
            import time

            return formatdate((timestamp or time.time()) + seconds_off, usegmt=True)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_port_that_something_else_uses_is_reported() -> None:
    with web_server(b"a blog") as port:
        check = host.port(Settings(airflow_port=port))
    assert check.outcome is Outcome.FAILED
    assert "STRANDLINE_AIRFLOW_PORT" in check.remedy


def test_a_port_at_which_airflow_answers_is_fine() -> None:
    with web_server(b'{"metadatabase":{"status":"healthy"}}') as port:
        check = host.port(Settings(airflow_port=port))
    assert check.outcome is Outcome.OK


@pytest.mark.parametrize(("seconds_off", "direction"), [(0, None), (3600, "behind"), (-3600, "ahead of")])
def test_a_clock_that_differs_from_the_venues_fails(tmp_path: Path, seconds_off: int, direction: str | None) -> None:
    with web_server(b"", seconds_off) as port:
        check = host.clock(
            make_settings(mode=Mode.PAPER, hyperliquid_url=f"http://127.0.0.1:{port}", home=tmp_path / "none")
        )
    assert check.outcome is (Outcome.FAILED if direction else Outcome.OK)
    assert direction is None or f"{direction} Hyperliquid's" in check.found


def test_a_venue_that_does_not_respond_with_the_time_is_a_warning(tmp_path: Path) -> None:
    settings = make_settings(mode=Mode.PAPER, hyperliquid_url=f"http://127.0.0.1:{free_port()}", home=tmp_path / "none")
    assert host.clock(settings).outcome is Outcome.WARNING


def test_secrets_that_others_can_read_fail(strandline: Command, settings_dir: SettingsDir) -> None:
    secret = settings_dir.secrets / "strandline_hyperliquid_key"
    secret.write_text(f"0x{'1' * 64}")
    secret.chmod(0o644)
    settings_dir.env_file.write_text("STRANDLINE_JUPITER_API_KEY=abc\n")
    settings_dir.env_file.chmod(0o640)
    found = line(strandline("doctor").out, "credentials")
    assert f"chmod 600 '{secret}'" in found
    assert f"chmod 600 '{settings_dir.env_file}'" in found
    secret.chmod(0o600)
    settings_dir.env_file.chmod(0o600)
    assert "FAIL" not in line(strandline("doctor").out, "credentials")


def test_missing_keys_are_a_warning_in_live(strandline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_MODE", "live")
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_ENABLED", "on")
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_ADDRESS", f"0x{'a' * 40}")
    # Nothing of the venue is asked: there is no way out of this machine.
    found = line(strandline("doctor").out, "credentials")
    assert found.startswith(
        "warn credentials STRANDLINE_HYPERLIQUID_KEY not here; right on every machine but the worker"
    )
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_KEY", f"0x{'1' * 64}")
    assert line(strandline("doctor").out, "credentials") == "ok credentials the keys of every enabled venue are here"


def test_a_login_that_cannot_take_on_its_role_is_reported(
    strandline: Command, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", url)
    with database.session() as connection:
        connection.execute(text("DROP ROLE IF EXISTS strandline_test_outsider"))
        connection.execute(text("CREATE ROLE strandline_test_outsider LOGIN PASSWORD 'x'"))
    outsider = database.url.set(username="strandline_test_outsider", password="x").render_as_string(hide_password=False)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL_INGEST", outsider)
    try:
        found = line(strandline("doctor").out, "roles")
    finally:
        with database.session() as connection:
            connection.execute(text("DROP ROLE strandline_test_outsider"))
    assert found.startswith("FAIL roles as strandline_ingest:")
    assert "permission denied to set role" in found


GOOD = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://postgres@localhost/airflow",
    "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
    "AIRFLOW__API__SECRET_KEY": "s" * 32,
    "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(b"f" * 32).decode(),
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://localhost:8080/execution/",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30.0",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
}


@pytest.mark.parametrize(
    ("live", "found"),
    [
        ([], "- sidecars none runs"),
        (["0/1 a"], "ok sidecars 0/1 (a), the whole"),
        (["0/2 a", "0/2 b", "1/2 a"], "ok sidecars 0/2 (a, b), 1/2 (a), the whole"),
        (
            ["0/3 a", "2/3 a"],
            "warn sidecars 0/3 (a), 2/3 (a); a part of the instruments is not streamed; run: strandline"
            " ingest --shard 1/3",
        ),
        (
            ["0/1 a", "0/2 a", "1/2 a"],
            "warn sidecars 0/1 (a), 0/2 (a), 1/2 (a); they split the instruments in 1 and in 2",
        ),
    ],
)
def test_the_sidecars_that_live_must_be_parts_of_one_whole(database: Database, live: list[str], found: str) -> None:
    settings = make_settings(database_url=database.url.render_as_string(hide_password=False))
    with database.session() as session:
        for name, age in [*((name, 5) for name in live), ("3/4 a", 60)]:
            shard, replica = name.split()
            insert(
                session, "heartbeats", shard=shard, replica=replica, beat_at=datetime.now(UTC) - timedelta(seconds=age)
            )
    assert " ".join(str(sidecars.sidecars(settings)).split()).startswith(found)


def airflow_faults(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> list[str]:
    """The faults of a good configuration with these changes."""
    for variable, value in {**GOOD, **changes}.items():
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    return [str(check) for check in airflow.airflow(airflow.configuration()) if check.outcome is not Outcome.OK]


def test_a_good_airflow_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert airflow_faults(monkeypatch) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", None),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////tmp/airflow.db"),
        ("AIRFLOW__CORE__DAGS_FOLDER", None),
        ("AIRFLOW__CORE__DAGS_FOLDER", "/somewhere/else"),
        ("AIRFLOW__CORE__PLUGINS_FOLDER", "/somewhere/else"),
        ("AIRFLOW__CORE__LOAD_EXAMPLES", None),
        ("AIRFLOW__API_AUTH__JWT_SECRET", None),
        ("AIRFLOW__API_AUTH__JWT_SECRET", "j" * 63),
        ("AIRFLOW__API__SECRET_KEY", "short"),
        ("AIRFLOW__CORE__FERNET_KEY", "not a key"),
        ("AIRFLOW__CORE__FERNET_KEY", base64.urlsafe_b64encode(b"f" * 31).decode()),
        ("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://localhost:8080/"),
        ("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://localhost:9999/execution/"),
        ("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", None),
        ("AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL", "300"),
        ("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT", "soon"),
        ("AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY", "300"),
    ],
)
def test_each_fault_of_airflow_has_its_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None) -> None:
    found = airflow_faults(monkeypatch, **{variable: value})
    assert len(found) == 1
    assert variable in found[0]
    assert "; " in found[0]
    for secret in ("j" * 63, "short", "not a key"):
        assert secret not in found[0]


def test_secrets_that_differ_between_environment_and_file_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "airflow.cfg").write_text(f"[api_auth]\njwt_secret = {'k' * 64}\n")
    found = airflow_faults(monkeypatch)
    assert len(found) == 1
    assert "JWT_SECRET differs between environment and airflow.cfg" in found[0]
    (tmp_path / "airflow.cfg").write_text(f"[api_auth]\njwt_secret = {'j' * 64}\n")
    assert airflow_faults(monkeypatch) == []
    assert airflow_faults(monkeypatch, AIRFLOW__API_AUTH__JWT_SECRET=None) == []


def test_what_a_command_supplies_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        airflow_faults(monkeypatch, AIRFLOW__API_AUTH__JWT_SECRET=None, AIRFLOW__API_AUTH__JWT_SECRET_CMD="cat /secret")
        == []
    )


def test_the_options_are_those_of_the_airflow_that_is_installed() -> None:
    template = metadata.distribution("apache-airflow-core").locate_file("airflow/config_templates/config.yml")
    known = yaml.safe_load(Path(str(template)).read_text())
    for variable in GOOD:
        section, option = variable.removeprefix("AIRFLOW__").lower().split("__")
        assert option in known[section]["options"], variable


@pytest.mark.slow
def test_missing_pools_are_named_with_the_command_that_makes_them(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With Airflow's own command and metadata database."""
    url = empty_database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    settings = load_settings()
    before = airflow.pools(airflow.configuration(), settings)
    assert before.outcome is Outcome.FAILED
    assert before.remedy == "start it, and run: airflow db migrate"

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", "airflow", *arguments]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr

    run("db", "migrate")
    missing = airflow.pools(airflow.configuration(), settings)
    assert missing.outcome is Outcome.FAILED
    for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN):
        assert f"airflow pools set {venue.slug} 2" in missing.remedy
    for command in missing.remedy.removeprefix("run: ").split(" && "):
        subprocess.run(f'"{sys.executable}" -m {command}', shell=True, check=True, capture_output=True, timeout=120)
    assert airflow.pools(airflow.configuration(), settings).outcome is Outcome.OK
    run("pools", "set", HYPERLIQUID_PERPS.slug, "1", "one slot")
    small = airflow.pools(airflow.configuration(), settings)
    assert small.outcome is Outcome.WARNING
    assert small.found == f"{HYPERLIQUID_PERPS.slug} has 1 of the 2 slots that a venue needs"
    assert small.remedy.endswith(f'run: airflow pools set {HYPERLIQUID_PERPS.slug} 2 "orders of one venue"')
    run("pools", "set", HYPERLIQUID_PERPS.slug, "-1", "no limit")
    assert airflow.pools(airflow.configuration(), settings).outcome is Outcome.OK
