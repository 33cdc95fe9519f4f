"""`strandline pg`, as a person types it, on a real server."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from strandline.cli.main import app
from strandline.model.errors import StrandlineError
from strandline.store.postgres.programs import Programs
from strandline.store.postgres.server import EmbeddedPostgres
from tests.cli.conftest import COMMAND

PASSWORD = "not-for-others-eyes"


class Terminal:
    """Types commands, with a home of its own, whatever the person who runs the tests has set."""

    def __init__(self, home: Path) -> None:
        self.server = EmbeddedPostgres(home / "postgres")
        self.settings = {"STRANDLINE_HOME": str(home), "STRANDLINE_ENV_FILE": os.devnull}

    def type(self, *words: str, answer: str = "", **settings: str) -> Result:
        unset = dict.fromkeys(name for name in os.environ if name.startswith("STRANDLINE_"))
        return CliRunner().invoke(app, ["pg", *words], input=answer, env=unset | self.settings | settings)

    def says(self, *words: str, **settings: str) -> str:
        """What a command that succeeds prints."""
        done = self.type(*words, **settings)
        assert (done.exit_code, done.stderr, done.exception) == (0, "", None)
        return done.stdout.strip()

    def psql(self, *words: str, typed: str = "", **settings: str) -> str:
        """What psql prints; it takes the process over, so it needs one of its own."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STRANDLINE_")}
        done = subprocess.run(
            [*COMMAND, "pg", "psql", *words],
            env=environment | self.settings | settings,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    def query(self, statement: str) -> str:
        where = self.server.url().replace("+psycopg2", "")
        psql: list[str | Path] = [Programs().path("psql"), "-XAtqc", statement, where]
        done: subprocess.CompletedProcess[str] = subprocess.run(psql, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("home of pg"))
    try:
        yield terminal
    finally:
        terminal.server.stop()


@pytest.fixture
def started(terminal: Terminal) -> Terminal:
    terminal.server.start()
    return terminal


def test_start_status_and_stop(terminal: Terminal) -> None:
    idle = terminal.type("status")
    assert (idle.exit_code, idle.stdout) == (3, "Postgres is not running; start it with: strandline pg start\n")

    running = terminal.says("start")

    server = terminal.server
    assert running == (f"Postgres {server.version} is running; data in {server.data}; connect with: strandline pg psql")
    assert terminal.says("status") == running
    assert terminal.says("stop").startswith(f"Postgres is stopped; data stays in {server.data}")
    assert not server.running


def test_a_server_outlives_the_command_that_started_it_and_an_error_is_one_line(terminal: Terminal) -> None:
    terminal.server.stop()
    environment = os.environ | terminal.settings

    def type_elsewhere(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [*COMMAND, "pg", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    refused = type_elsewhere("psql")
    expected = "strandline: Postgres is not running; start it with: strandline pg start\n"
    assert (refused.returncode, refused.stderr) == (1, expected)
    assert type_elsewhere("start").returncode == 0
    assert terminal.server.running


def test_url_is_that_of_the_server(started: Terminal) -> None:
    assert started.says("url") == started.server.url()
    assert started.says("url", "--database", "airflow") == started.server.url("airflow")


def test_psql_takes_whatever_psql_takes(started: Terminal) -> None:
    assert started.psql("--", "-XAtc", "SELECT current_database(), current_user") == "strandline|postgres"
    elsewhere = {"PGHOST": "elsewhere", "PGPORT": "5999", "PGDATABASE": "elsewhere"}
    assert started.psql("-XAt", "-d", "postgres", typed="SELECT current_database()", **elsewhere) == "postgres"


def test_backup_and_restore(started: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "monday.dump"
    started.query("CREATE TABLE numbers AS SELECT 1 AS n")
    wrote = started.says("backup", str(file))
    assert wrote.startswith(f"Wrote {file} (")
    assert wrote.endswith(f"bring it back with: strandline pg restore {file}")
    started.query("UPDATE numbers SET n = 2")

    assert started.type("restore", str(file), answer="n\n").exit_code == 1
    assert started.query("SELECT n FROM numbers") == "2"

    assert started.type("restore", str(file), answer="y\n").exit_code == 0
    assert started.query("SELECT n FROM numbers") == "1"
    restored = started.says("restore", str(file), "--yes")
    kept = restored.split()[-1]
    assert restored == f"Restored {file}; the database as it was is kept as {kept}"
    assert kept in started.query("SELECT datname FROM pg_database").split()


def test_another_database_is_read_but_not_managed(started: Terminal, tmp_path: Path) -> None:
    external = make_url(started.server.url()).set(password=PASSWORD).render_as_string(hide_password=False)
    settings = {"STRANDLINE_DATABASE_URL": external}

    assert started.says("url", **settings) == external
    assert make_url(started.says("url", "--database", "airflow", **settings)).database == "airflow"
    # The arguments of a process are there for everybody to read; its environment is not.
    look = r"\! ps -ww -o args= -p $PPID; echo $PGPASSWORD"
    arguments, password = started.psql("-XAt", typed=look, **settings).splitlines()
    assert "--dbname=postgresql://postgres@localhost" in arguments
    assert "***" not in arguments
    assert PASSWORD not in arguments
    assert password == PASSWORD
    assert started.psql("-XAt", typed="SELECT current_database()", **settings) == "strandline"

    for words in (["start"], ["stop"], ["status"], ["backup", str(tmp_path / "f")], ["restore", str(tmp_path / "f")]):
        refused = started.type(*words, **settings).exception
        assert isinstance(refused, StrandlineError)
        assert refused.problem.startswith(f"`strandline pg {words[0]}` is for the embedded server")
        assert PASSWORD not in str(refused)


@pytest.mark.parametrize("command", ["start", "stop", "status", "psql", "url", "backup", "restore"])
def test_help_gives_an_example(terminal: Terminal, command: str) -> None:
    assert f"Example: strandline pg {command}" in terminal.says(command, "--help")
