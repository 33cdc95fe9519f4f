"""`strandline maintenance` and `strandline data`: what they do and say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.conftest import Command
from tests.conftest import Database
from tests.retention.ticks import DAY, checksum, partitions, some, store

DAYS = (datetime.now(UTC).date() - DAY).days
RESTORE = ("data", "restore", "--from", "2026-01-01", "--to", "2026-01-02")


@pytest.fixture(autouse=True)
def _in_this_database(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("STRANDLINE_ARCHIVE_DIR", str(tmp_path / "archive"))


def test_old_days_go_to_files_and_come_back(strandline: Command, database: Database) -> None:
    store(database, some() + some(day=DAY + timedelta(days=1)))
    before = checksum(database)
    said = strandline("maintenance").out
    assert said == (
        "9 tick partitions were made.\n"
        "2026-01-01  267 ticks written to a file; dropped from the database\n"
        "2026-01-02  267 ticks written to a file; dropped from the database\n"
    )
    assert len(partitions(database)) == 9
    assert strandline("data", "verify")[:2] == (
        0,
        "2026-01-01  267 ticks, as they were written\n2026-01-02  267 ticks, as they were written\n",
    )
    assert strandline(*RESTORE).out == (
        "2026-01-01  267 ticks restored, 0 were there\n2026-01-02  267 ticks restored, 0 were there\n"
    )
    assert checksum(database) == before
    assert strandline(*RESTORE).out.startswith("2026-01-01  0 ticks restored, 267 were there\n")


def test_the_setting_decides_how_old(strandline: Command, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store(database, some() + some(day=DAY - timedelta(days=1)))
    monkeypatch.setenv("STRANDLINE_TICK_RETENTION_DAYS", str(DAYS))
    assert "2025-12-31" in strandline("maintenance").out
    assert partitions(database)[0] == "ticks_20260101"
    assert strandline("maintenance").out.endswith("No ticks are from before 2026-01-01.\n")
    monkeypatch.setenv("STRANDLINE_TICK_RETENTION_DAYS", "6")
    refused = strandline("maintenance")
    assert (refused.code, refused.out) == (2, "")
    assert "STRANDLINE_TICK_RETENTION_DAYS is '6', which is not a whole number of days, at least 7" in refused.err


def test_a_day_in_use_is_said_to_be_left(strandline: Command, database: Database) -> None:
    store(database, some())
    with database.session() as reader:
        reader.execute(text("SELECT count(*) FROM ticks"))
        assert "267 ticks written to a file; in use, so it is dropped the next time" in strandline("maintenance").out
    assert "267 ticks in a file already; dropped from the database" in strandline("maintenance").out


def test_a_damaged_file_is_named(strandline: Command, database: Database, tmp_path: Path) -> None:
    store(database, some())
    strandline("maintenance")
    (file,) = (tmp_path / "archive" / "ticks").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-1])
    verified = strandline("data", "verify")
    assert verified.code == 1
    assert verified.out == f"2026-01-01  {file} is not as it was written: its SHA-256 differs from the manifest's\n"
    refused = strandline(*RESTORE)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert checksum(database) == []


def test_days_that_were_not_archived_are_said_to_be_none(strandline: Command) -> None:
    assert strandline(*RESTORE).out == "No archived day lies between 2026-01-01 and 2026-01-02.\n"
    assert strandline("data", "verify")[:2] == (0, "")
