"""`strandline ingest`: streams until it is ended, and says what it lacks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.cli.conftest import COMMAND, Command
from tests.cli.test_sim import running
from tests.conftest import Database


def wait_for(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_it_streams_until_it_is_ended_and_leaves_nothing_unwritten(database: Database) -> None:
    def count(table: str) -> int:
        with database.session() as session:
            return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    with running() as (_, at):
        settings = {
            "STRANDLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "STRANDLINE_HYPERLIQUID_URL": at["hyperliquid"],
            "STRANDLINE_JUPITER_URL": at["jupiter"],
        }
        with subprocess.Popen(
            [*COMMAND, "ingest"], env=os.environ | settings, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                wait_for(lambda: count("ticks") > 150 and count("venue_candles") > 3_000)
                process.send_signal(signal.SIGTERM)
                _, stderr = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 0, stderr
        assert "Traceback" not in stderr
        with database.session() as session:
            details = session.execute(text("SELECT details FROM heartbeats")).scalar_one()
            assert details["stored"] == count("ticks")
            assert details["pending"] == details["dropped"] == details["quarantined"] == 0


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "STRANDLINE_HYPERLIQUID_URL and STRANDLINE_JUPITER_URL"),
        ({"STRANDLINE_HYPERLIQUID_URL": "http://127.0.0.1:1"}, "set STRANDLINE_JUPITER_URL to"),
    ],
)
def test_in_sim_the_venues_urls_must_be_given(
    strandline: Command, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    ended = strandline("ingest")
    assert ended.code == 1
    assert missing in ended.err
    assert "strandline up" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--shard", "2/2"], "2/2 is not a shard; give i/n"),
        (["--shard", "half"], "half is not a shard"),
        (["--shard", "0/9"], "0/9 is not a shard; give i/n, such as 0/2, with i below n and n up to 8"),
        (["--replica", "b/c"], "'b/c' is no name for a replica"),
    ],
)
def test_a_name_that_cannot_be_is_refused(strandline: Command, options: list[str], fault: str) -> None:
    ended = strandline("ingest", *options)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert fault in ended.err


@pytest.mark.slow
def test_a_second_sidecar_of_the_same_name_takes_over(database: Database) -> None:
    settings = {
        "STRANDLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "STRANDLINE_HYPERLIQUID_URL": "http://127.0.0.1:1",
        "STRANDLINE_JUPITER_URL": "http://127.0.0.1:1",
    }

    def run_id() -> object:
        with database.session() as session:
            return session.execute(text("SELECT max(run_id) FROM heartbeats")).scalar()

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen([*COMMAND, "ingest"], env=os.environ | settings, stderr=subprocess.PIPE, text=True)

    with start() as first:
        try:
            wait_for(run_id)
            with start() as second:
                try:
                    _, stderr = first.communicate(timeout=60)
                    assert first.returncode == 1
                    assert "took over from this one; give one of them another --replica" in stderr
                    assert "Traceback" not in stderr
                    assert second.poll() is None
                finally:
                    second.kill()
        finally:
            first.kill()


@pytest.mark.slow
def test_a_database_that_is_away_is_waited_for_with_a_message() -> None:
    settings = {
        "STRANDLINE_DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/nothing",
        "STRANDLINE_HYPERLIQUID_URL": "http://127.0.0.1:1",
        "STRANDLINE_JUPITER_URL": "http://127.0.0.1:1",
    }
    with subprocess.Popen(
        [sys.executable, *COMMAND[1:], "ingest"], env=os.environ | settings, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            stderr = ""
            while "the database failed" not in stderr or "Hyperliquid's stream is down" not in stderr:
                stderr += process.stderr.readline()
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert "Traceback" not in stderr
