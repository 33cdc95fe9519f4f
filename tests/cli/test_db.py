"""`strandline db`: forward, back, and where it is."""

import io

import pytest
from sqlalchemy import text

from strandline.store.migrate import latest_step
from tests.cli.conftest import Command
from tests.conftest import Database


@pytest.fixture(autouse=True)
def _in_this_database(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", empty_database.url.render_as_string(hide_password=False))


def test_forward_and_back(strandline: Command, empty_database: Database) -> None:
    newest = latest_step()
    assert strandline("db", "status")[:2] == (1, f"at nothing, newest {newest}\n")
    assert strandline("db", "migrate").out == f"The schema is at step {newest}; 9 tick partitions were made.\n"
    assert strandline("db", "migrate").out == f"The schema is at step {newest}; 0 tick partitions were made.\n"
    assert strandline("db", "status")[:2] == (0, f"at {newest}, newest {newest}\n")
    assert strandline("db", "back", "0004_planning", "--yes").out == "The schema is at step 0004_planning.\n"
    assert strandline("db", "status").code == 1
    assert strandline("db", "migrate").code == 0
    with empty_database.session() as connection:
        days = connection.scalar(text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ticks'::regclass"))
    assert days == 9


def test_going_back_asks_first(strandline: Command, monkeypatch: pytest.MonkeyPatch, empty_database: Database) -> None:
    strandline("db", "migrate")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert strandline("db", "back", "base").code == 1
    assert strandline("db", "status").code == 0


@pytest.mark.parametrize("step", ["0005", "nonsense"])
def test_a_step_that_does_not_exist_is_refused_in_one_line(strandline: Command, step: str) -> None:
    strandline("db", "migrate")
    ended = strandline("db", "back", step, "--yes")
    assert ended.code == 1
    assert ended.err.startswith(f"strandline: there is no migration {step}; choose one of: base, 0001_market_data, ")
    assert ended.err.endswith(f", {latest_step()}\n")


@pytest.mark.parametrize("command", [("db", "migrate"), ("db", "status"), ("db", "back", "base", "--yes")])
def test_an_unreachable_database_is_one_line(
    strandline: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", "postgresql://me:hush-hush@127.0.0.1:9/strandline")
    ended = strandline(*command)
    assert ended.code == 1
    assert ended.err.startswith("strandline: the database cannot be reached (")
    assert ended.err.endswith("; check STRANDLINE_DATABASE_URL\n")
    assert ended.err.count("\n") == 1
    assert "hush-hush" not in ended.err
    monkeypatch.delenv("STRANDLINE_DATABASE_URL")
    assert strandline(*command).err.endswith("; start it: strandline pg start\n")
