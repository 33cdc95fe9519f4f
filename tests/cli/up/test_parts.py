"""What `up` is made of, each part by itself."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from strandline.cli.airflow.environment import airflow_environment, write_airflow_home
from strandline.cli.doctor import airflow as doctor
from strandline.cli.doctor.check import Outcome
from strandline.cli.up.interruption import Interruption, StopRequested, signals_deferred
from strandline.cli.up.lock import only_one
from strandline.cli.up.loopback import without_proxy
from strandline.cli.up.paths import Paths
from strandline.cli.up.ports import reserved_ports
from strandline.cli.up.simulation import Simulation, simulated_accounts
from strandline.configuration import load_settings, make_settings
from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.ports import free_port

PORTS = dict.fromkeys(("hyperliquid", "solana", "jupiter", "control"), 20_000)
DATABASE = "postgresql+psycopg2://postgres@localhost:5432/airflow?host=/a%2520place"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "a home")
    made.make()
    return made


class TestAirflowEnvironment:
    """One mapping, by which every process and airflow.cfg go."""

    def test_the_doctor_finds_no_fault_in_it(self, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in airflow_environment(paths, DATABASE, 8123).items():
            monkeypatch.setenv(name, value)
        checks = list(doctor.airflow(doctor.configuration()))
        assert [check.outcome for check in checks] == [Outcome.OK], checks

    def test_the_file_says_the_same(self, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = airflow_environment(paths, DATABASE, 8123)
        write_airflow_home(paths, environment)
        monkeypatch.setenv("AIRFLOW_HOME", environment["AIRFLOW_HOME"])
        checks = list(doctor.airflow(doctor.configuration()))
        assert [check.outcome for check in checks] == [Outcome.OK], checks
        assert doctor.configuration().get("database", "sql_alchemy_conn") == DATABASE

    def test_nobody_else_may_read_what_is_secret(self, paths: Paths) -> None:
        environment = airflow_environment(paths, DATABASE, 8123)
        write_airflow_home(paths, environment)
        secret = re.compile("|".join(re.escape(environment[f"AIRFLOW__{name}"]) for name in ("API_AUTH__JWT_SECRET",)))
        holders = [file for file in paths.home.rglob("*") if file.is_file() and secret.search(file.read_text())]
        assert holders
        assert {stat.S_IMODE(file.stat().st_mode) for file in holders} == {0o600}

    def test_secrets_are_made_once_and_for_this_home_only(self, paths: Paths, tmp_path: Path) -> None:
        other = Paths(tmp_path / "another")
        other.make()
        secrets = ("CORE__FERNET_KEY", "API__SECRET_KEY", "API_AUTH__JWT_SECRET")

        def of(where: Paths) -> list[str]:
            environment = airflow_environment(where, DATABASE, 8123)
            return [environment[f"AIRFLOW__{name}"] for name in secrets]

        assert of(paths) == of(paths)
        assert not set(of(paths)) & set(of(other))

    def test_only_this_machine_reaches_it(self, paths: Paths) -> None:
        environment = airflow_environment(paths, DATABASE, 8123)
        assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"


def ports(settings: Settings, *names: str) -> Mapping[str, int]:
    """Those that it would reserve; they are free again."""
    with reserved_ports(settings, names) as reserved:
        return reserved


class TestPorts:
    """The lowest that are free."""

    def test_they_stay(self, paths: Paths) -> None:
        settings = make_settings(home=paths.home)
        first = ports(settings, "one", "two")
        assert ports(settings, "one", "two") == first
        assert len(set(first.values())) == 3

    @pytest.mark.parametrize("name", ["one", "airflow"])
    def test_one_that_is_taken_is_passed_over(self, paths: Paths, name: str) -> None:
        settings = make_settings(home=paths.home)
        first = ports(settings, "one")
        with socket.create_server(("127.0.0.1", first[name])):
            second = ports(settings, "one")
        assert second[name] > first[name]
        assert {**first, name: 0} == {**second, name: 0}

    def test_a_port_that_the_person_chose_is_taken_or_refused(
        self, paths: Paths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = free_port()
        monkeypatch.setenv("STRANDLINE_AIRFLOW_PORT", str(port))
        assert ports(load_settings())["airflow"] == port
        with socket.create_server(("127.0.0.1", port)), pytest.raises(StrandlineError, match=f"{port}.*in use"):
            ports(load_settings())

    def test_two_that_start_together_choose_different_ports(self, paths: Paths) -> None:
        """Before anybody listens: what the first has chosen is reserved, and its own programs can listen there."""
        settings = make_settings(home=paths.home)
        with reserved_ports(settings, ["one"]) as first:
            with reserved_ports(settings, ["one"]) as second:
                assert not set(first.values()) & set(second.values())
            for port in first.values():
                socket.create_server(("127.0.0.1", port)).close()


class TestAccounts:
    """The accounts at the simulator."""

    def test_they_are_made_once_and_are_valid_settings(self, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
        simulation = Simulation(make_settings(home=paths.home), paths.state)
        assert Simulation(make_settings(home=paths.home), paths.state).accounts == simulation.accounts
        assert stat.S_IMODE((paths.state / "accounts.json").stat().st_mode) == 0o600
        for name, value in {**simulation.environment(PORTS), **simulation.keys}.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        assert settings.venue_text("hyperliquid_key") == simulation.accounts[HYPERLIQUID_PERPS].key
        # What a person has set is used in their place.
        assert simulated_accounts(paths.state / "others.json", settings) == simulation.accounts

    def test_keys_stay_out_of_what_is_printed(self, paths: Paths) -> None:
        simulation = Simulation(make_settings(home=paths.home), paths.state)
        assert len(simulation.keys) == 2
        assert not [key for key in simulation.keys.values() if key in repr(simulation.accounts)]
        assert not set(simulation.keys.values()) & set(simulation.environment(PORTS).values())


@pytest.mark.parametrize("name", ["HYPERLIQUID_URL", "SOLANA_RPC_URL", "JUPITER_URL"])
def test_other_venues_are_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    endpoints = Simulation(load_settings(), paths.state).environment(PORTS)
    assert endpoints[f"STRANDLINE_{name}"] == "http://127.0.0.1:20000"
    monkeypatch.setenv(f"STRANDLINE_{name}", "http://127.0.0.1:1")
    with pytest.raises(StrandlineError, match=f"STRANDLINE_{name} is set.*remove it"):
        Simulation(load_settings(), paths.state)


class TestLock:
    """At most one per home."""

    def test_the_second_names_the_first(self, tmp_path: Path) -> None:
        first, second = only_one(tmp_path / "lock"), only_one(tmp_path / "lock")
        with first, pytest.raises(StrandlineError, match=f"pid {os.getpid()}"):
            second.__enter__()

    def test_a_killed_holder_holds_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "lock"
        code = (
            "import sys, os, signal; from pathlib import Path; from strandline.cli.up.lock import only_one\n"
            "with only_one(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
        )
        ended = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
        assert ended.returncode == -signal.SIGKILL
        with only_one(file):
            assert file.read_text() == str(os.getpid())


class TestInterruption:
    """A request to stop is noticed where it is checked."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_is_counted_and_ends_the_process_with_0(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        with Interruption() as interruption:
            interruption.check()
            for requests in (1, 2):
                signal.raise_signal(number)
                assert interruption.requests == requests
                with pytest.raises(StopRequested) as stopped:
                    interruption.check()
                assert stopped.value.code == 0
        assert signal.getsignal(number) is before

    def test_children_do_not_receive_the_signal_and_it_is_not_lost(self) -> None:
        sleep = "import sys; print('up', flush=True); sys.stdin.read(); print('end')"
        with Interruption() as interruption:
            with signals_deferred():
                child = subprocess.Popen(
                    [sys.executable, "-c", sleep], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
                assert child.stdout is not None
                assert child.stdout.readline() == "up\n"
                child.send_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
                assert interruption.requests == 0
            assert interruption.requests == 1
            out, _ = child.communicate("")
        assert (out, child.returncode) == ("end\n", 0)


def test_what_is_reached_directly_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert without_proxy()["NO_PROXY"] == "localhost,127.0.0.1"
    monkeypatch.setenv("NO_PROXY", "example.org")
    assert without_proxy() == dict.fromkeys(("no_proxy", "NO_PROXY"), "example.org,localhost,127.0.0.1")


def test_what_is_kept_is_whole(paths: Paths) -> None:
    file = paths.state / "accounts.json"
    simulated_accounts(file, make_settings(home=paths.home))
    assert json.loads(file.read_text())
    assert [path.name for path in paths.state.iterdir()] == [file.name]
