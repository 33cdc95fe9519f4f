"""`strandline backfill`: loads, says what came of it, and goes on where it was killed."""

import os
import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from strandline.history.backfill import Outcome
from strandline.history.units import Loaded
from tests.cli.conftest import COMMAND, Command
from tests.cli.test_ingest import wait_for
from tests.conftest import Database, Server
from tests.history.archives import HOUR, Trade, write_trades
from tests.history.loading import contents, register
from tests.history.test_asset_contexts import line as context
from tests.history.test_asset_contexts import write as write_contexts

T0 = datetime(2025, 8, 1, tzinfo=UTC)
ARCHIVE = ("--source", "archive", "--from", "2025-08-01", "--to", "2025-08-01")


def url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
def command(strandline: Command, database: Database, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, on a database that knows BTC and ETH."""
    register(database)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", url(database))
    return strandline


def write_day(folder: Path, per_hour: int) -> None:
    """A day's archive, and the hours beside it."""
    chance = random.Random(5)
    write_trades(
        folder,
        "node_fills",
        {
            T0 + hour * HOUR: [
                Trade(
                    T0 + hour * HOUR + timedelta(milliseconds=chance.randrange(3_600_000)),
                    (hour + 1) * per_hour + number,
                    chance.choice(["BTC", "ETH"]),
                    f"{chance.random() + 1:.4f}",
                )
                for number in range(per_hour)
            ]
            for hour in range(-1, 25)
        },
    )


def test_it_says_what_was_loaded_and_what_was_there(command: Command, database: Database, tmp_path: Path) -> None:
    write_day(tmp_path, 20)
    (tmp_path / "node_fills" / "hourly" / "20250801" / "7.lz4").unlink()
    ended = command("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "btc, ETH")
    assert ended.code == 0
    said = ended.out.splitlines()
    assert said[:3] == [
        "hyperliquid/perps, archive: BTC, ETH",
        "units    25 loaded",
        "rows     460 stored, 0 there already, 0 with new numbers",
    ]
    assert said[3] == "others   80 outside the time asked for"
    assert said[4].startswith("bars     ")
    assert said[5:] == ["missing  1 hours have no file: 2025-08-01T07:00Z"]
    with database.session() as session:
        assert session.execute(text("SELECT sum(ticks) FROM bars WHERE timeframe = '1d'")).scalar_one() == 460
        assert session.execute(text("SELECT count(*) FROM dirty_minutes")).scalar_one() == 0
    again = command("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "BTC,ETH")
    assert again.out.splitlines()[1:3] == [
        "units    25 loaded before",
        "rows     0 stored, 0 there already, 0 with new numbers",
    ]
    repeated = command("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "BTC,ETH", "--again")
    assert "rows     0 stored, 460 there already" in repeated.out
    assert "bars     0 new, 0 revised" in repeated.out


def test_a_day_that_was_moved_to_files_keeps_its_bars_until_it_is_restored(
    command: Command, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_ARCHIVE_DIR", str(tmp_path / "files"))
    write_day(tmp_path, 20)
    arguments = ("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "BTC", "--again")
    command(*arguments)
    before = contents(database)
    assert "dropped from the database" in command("maintenance").out
    path = tmp_path / "worse.csv"
    path.write_text("ts,price\n2025-08-01T10:00:00Z,1\n")
    for source in (arguments, ("backfill", "--source", "file", "--path", str(path), "--symbols", "BTC")):
        ended = command(*source)
        assert "of a day that maintenance has moved to files: restore it first" in ended.out
        assert "rows     0 stored, 0 there already" in ended.out
        assert "bars     0 new, 0 revised" in ended.out
    # The files have no ETH.
    assert "bars     0 new" not in command("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "ETH").out
    command("data", "restore", "--from", "2025-08-01", "--to", "2025-08-01")
    assert "rows     0 stored, 2" in command(*arguments).out
    changed = {table for table, checksum in contents(database).items() if checksum != before[table]}
    assert changed == {"ticks", "bars", "gaps"}


def test_asset_contexts_are_loaded_with_the_trades_or_alone(
    command: Command, database: Database, tmp_path: Path
) -> None:
    write_contexts(tmp_path, [context(T0 + n * HOUR) for n in range(24)], T0)
    arguments = ("backfill", *ARCHIVE, "--path", str(tmp_path), "--symbols", "BTC")
    alone = command(*arguments).out
    assert "units    1 loaded" in alone
    assert "rows     24 stored" in alone
    assert "missing" not in alone
    write_day(tmp_path, 20)
    both = command(*arguments[:4], "2025-08-01", "--to", "2025-08-02", *arguments[7:]).out
    assert "1 loaded before" in both
    assert "missing  1 days have no file of asset contexts: 2025-08-02" in both
    with database.session() as session:
        assert session.execute(text("SELECT count(*) FROM asset_contexts")).scalar_one() == 24


def test_a_csv_file_is_loaded_whole_without_a_time(command: Command, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "btc.csv"
    path.write_text("ts,price,size,side\n2026-03-01T00:00:00Z,1.5,2,buy\n2026-03-01T00:00:01Z,1.75,2,sell\n")
    arguments = ("backfill", "--source", "file", "--path", str(path), "--symbols", "BTC")
    assert "rows     2 stored" in command(*arguments).out
    assert "units    1 loaded before" in command(*arguments).out
    path.write_text(path.read_text() + "2026-03-01T00:00:02Z,x,2,sell\n")
    ended = command(*arguments)
    assert ended.code == 1
    assert f"failed   {path}, line 4, column price: 'x' is no number" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2025-08-01"), "the source rest needs a time; say from which day and to which"),
        (("--from", "monday", "--to", "2025-08-01"), "monday is neither a day nor an instant; write it as"),
        (("--from", "2025-08-02", "--to", "2025-08-01"), "from 2025-08-02 to 2025-08-01 there is nothing"),
        (("--from", "2025-08-02T10:00", "--to", "2025-08-03"), "has no time zone; write 2025-08-02T10:00Z"),
        (("--from", "2999-01-01", "--to", "2999-01-02"), "is in the future; history is of the past"),
        ((*ARCHIVE, "--venue", "binance/spot"), "there is no venue binance/spot; the venues are hyperliquid/perps"),
        ((*ARCHIVE, "--symbols", "BTC"), "the source archive needs a path; say where its files are: --path"),
        ((*ARCHIVE, "--symbols", "BTC", "--path", "/nowhere"), "/nowhere is no folder; give the folder"),
        ((*ARCHIVE, "--symbols", "BTC", "--path", "."), ". has no archive of 2025-08-01 00:00 to 2025-08-02 00:00 UTC"),
        ((*ARCHIVE, "--timeframe", "1h"), "the source archive has no bars of 1h; leave the timeframe out"),
        (
            ("--source", "file", "--symbols", "BTC", "--path", "."),
            ". is no file; give the path of a CSV or Parquet file",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(command: Command, arguments: tuple[str, ...], said: str) -> None:
    ended = command("backfill", *arguments)
    assert ended.code == 1
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_a_symbol_that_is_not_registered_is_asked_of_the_venue(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = command("backfill", *ARCHIVE, "--symbols", "BTC,SOL", "--path", ".")
    assert "STRANDLINE_HYPERLIQUID_URL is not set" in ended.err
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_URL", "http://127.0.0.1:1")
    ended = command("backfill", *ARCHIVE, "--symbols", "BTC,SOL", "--path", ".")
    assert "SOL are not registered yet, and the venue cannot be asked" in ended.err
    assert "start strandline ingest once" in ended.err


def test_a_database_that_is_not_migrated_is_refused(
    strandline: Command, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", url(empty_database))
    ended = strandline("backfill", "--source", "file", "--path", "x.csv")
    assert ended.code == 1
    assert "run: strandline db migrate" in ended.err


def test_the_help_teaches_by_examples(strandline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ended = strandline("backfill", "--help")
    assert ended.code == 0
    assert ended.out.count("Example: strandline backfill") == 4
    assert "docs/backfill.md" in ended.out


@pytest.mark.slow
def test_killed_and_started_again_it_ends_in_the_same_tables(server: Server, template: str, tmp_path: Path) -> None:
    """It is killed at its start, and while it works on a unit in the middle and near the end."""
    write_day(tmp_path, 400)
    alone = server.create(template)
    register(alone)
    assert run(alone, tmp_path).wait(120) == 0
    for units_before in (0, 9, 20):
        killed = server.create(template)
        register(killed)
        process = run(killed, tmp_path)
        wait_for(lambda: loads(killed) > 2 * units_before or process.poll() is not None)  # noqa: B023  called here
        process.kill()
        process.wait()
        assert 2 * units_before < loads(killed) < loads(alone)
        assert_whole_units(killed)
        assert run(killed, tmp_path).wait(120) == 0
        assert contents(killed) == contents(alone)
        assert loads(killed) == loads(alone)
        server.drop(killed)
    server.drop(alone)


def test_ended_from_the_keyboard_it_says_what_is_kept(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_until_ctrl_c(_: object, report: Callable[[str, Outcome, Loaded, int], None]) -> None:
        report("an hour", Outcome.LOADED, Loaded(stored=1234), 24)
        raise KeyboardInterrupt

    monkeypatch.setattr("strandline.cycle.backfill.run_backfill", run_until_ctrl_c)
    ended = command("backfill", *ARCHIVE, "--symbols", "BTC", "--path", ".")
    assert ended.code == 130
    assert ended.err == "ended by you; 1,234 rows are stored and stay. The same command goes on from there.\n"


def run(database: Database, folder: Path) -> "subprocess.Popen[bytes]":
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [*COMMAND, "backfill", *ARCHIVE, "--path", str(folder), "--symbols", "BTC,ETH"],
        env=os.environ | {"STRANDLINE_DATABASE_URL": url(database)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def loads(database: Database) -> int:
    with database.session() as session:
        return int(session.execute(text("SELECT count(*) FROM history_loads")).scalar_one())


def assert_whole_units(database: Database) -> None:
    """What the record says was stored is what there is."""
    with database.session() as session:
        recorded = session.execute(text("SELECT coalesce(sum(stored), 0) FROM history_loads")).scalar_one()
        assert session.execute(text("SELECT count(*) FROM ticks")).scalar_one() == recorded
