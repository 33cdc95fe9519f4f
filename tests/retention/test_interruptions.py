"""Whatever is killed, tampered with, or done at the same time: nothing is lost, and the next maintenance ends it."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from strandline.model.errors import StrandlineError
from strandline.retention import archiving, days, tick_file
from strandline.retention.days import Dropping
from strandline.retention.manifest import MANIFEST, read_manifest
from strandline.retention.tick_archive import TickArchive
from strandline.retention.tick_file import DamagedFileError
from tests.conftest import Database
from tests.retention.conftest import Archive, Restore
from tests.retention.ticks import DAY, OPEN, Tick, checksum, partitions, some, store
from tests.store.concurrency import at_once

_KILLED_AT = """
import os, signal, sys
from datetime import date
from pathlib import Path
from sqlalchemy import make_url
from strandline.retention import archiving, days, manifest, tick_archive, tick_file
from strandline.store.connect import connect
from strandline.store.roles import Role

module, name = sys.argv[3].split(".")
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(globals()[module], name, die)
engine = connect(make_url(sys.argv[1]), Role.APP)
archiving.archive_ticks(engine, tick_archive.TickArchive(Path(sys.argv[2])), date(2026, 1, 2), lambda done: None)
"""
STEPS = [
    "tick_file.to_columns",
    "archiving.verify",
    "tick_archive.sync_directory",
    "manifest.append",
    "manifest.sync_directory",
    "days.drop_day",
]
"""What is about to be called when the process is killed: in the middle of the file, before it is read back,
before and after its line of the manifest, before the drop."""


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_between_two_steps(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive, step: str
) -> None:
    store(database, some())
    before = checksum(database)
    url = database.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_AT, url, folder.directory.parent, step],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9, killed.stderr
    assert checksum(database) == before, "the day is dropped last"
    assert [one.dropping for one in archive()] == [Dropping.DROPPED]
    assert checksum(database) == []
    restore()
    assert checksum(database) == before
    assert len(folder.files()) == 1
    assert {file.name for file in folder.directory.iterdir()} == {".lock", MANIFEST, folder.files()[0].file}


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_line_that_was_not_finished_does_not_count(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive, length: int
) -> None:
    store(database, some())
    before = checksum(database)
    archive()
    restore()
    manifest = folder.directory / MANIFEST
    manifest.write_bytes(manifest.read_bytes() * 2)
    manifest.write_bytes(manifest.read_bytes().splitlines(keepends=True)[0][:-1][: length or None])
    assert read_manifest(folder.directory) == []
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, True)]
    restore()
    assert checksum(database) == before


def damaged(file: Path, how: str) -> None:
    """Change the file as little as can be."""
    data = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
        return
    if how == "one bit":
        data[len(data) // 2] ^= 1
    elif how == "cut off":
        del data[-1:]
    file.write_bytes(data)


@pytest.mark.parametrize("how", ["one bit", "cut off", "gone"])
def test_a_damaged_file_is_refused_and_nothing_of_it_is_stored(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive, how: str
) -> None:
    store(database, some())
    archive()
    damaged(folder.path(folder.files()[0]), how)
    with pytest.raises(DamagedFileError, match="nothing of it was used"):
        restore()
    assert checksum(database) == []


@pytest.mark.parametrize("how", ["one bit", "cut off", "gone"])
def test_a_day_is_not_dropped_for_a_damaged_file_but_written_again(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive, how: str
) -> None:
    store(database, some())
    before = checksum(database)
    archive()
    restore()
    damaged(folder.path(folder.files()[0]), how)
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, True)]
    restore()
    assert checksum(database) == before


def test_a_file_that_was_written_wrongly_is_never_listed(
    database: Database, archive: Archive, folder: TickArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a faulty disk: the file is not what was handed to it."""
    store(database, some())
    before = checksum(database)
    write = tick_file.write_ticks

    def write_wrongly(*args: object) -> object:
        content = write(*args)  # type: ignore[arg-type]
        damaged(args[0], "cut off")  # type: ignore[arg-type]
        return content

    monkeypatch.setattr(archiving, "write_ticks", write_wrongly)
    with pytest.raises(DamagedFileError):
        archive()
    assert checksum(database) == before
    assert folder.files() == []


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        (b'"rows":267', b'"rows":268', "does not contain the ticks"),
        (b'"sha256":"', b'"sha256":"0', "differs from the manifest"),
        (b'{"day"', b'{"dya"', "manifest.jsonl line 1 cannot be read"),
    ],
)
def test_a_changed_manifest_is_refused(
    database: Database,
    archive: Archive,
    restore: Restore,
    folder: TickArchive,
    was: bytes,
    becomes: bytes,
    problem: str,
) -> None:
    store(database, some())
    archive()
    manifest = folder.directory / MANIFEST
    assert was in manifest.read_bytes()
    manifest.write_bytes(manifest.read_bytes().replace(was, becomes))
    with pytest.raises(StrandlineError, match=problem):
        restore()
    assert checksum(database) == []


def test_another_database_is_refused(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive
) -> None:
    """Its numbers may mean other instruments."""
    store(database, some())
    archive()
    with database.session() as connection:
        connection.execute(text("UPDATE instruments SET token_contract = 'other' WHERE instrument_id = 2"))
    with pytest.raises(StrandlineError, match="instrument 2 is hyperliquid/perps/C1, and in this database hyperliquid"):
        restore()
    assert checksum(database) == []


def test_two_maintenances_at_once_in_one_folder(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive
) -> None:
    store(database, some())
    before = checksum(database)
    errors = at_once(archive, 4)
    assert all("another process archives ticks" in str(error) for error in errors)
    assert len(errors) < 4
    assert checksum(database) == []
    restore()
    assert checksum(database) == before


def test_two_maintenances_at_once_in_two_folders(database: Database, archive: Archive, tmp_path: Path) -> None:
    """As on two machines with one database: each drops only what it has in a file itself."""
    store(database, some())
    folders = [TickArchive(tmp_path / name) for name in "abc"]
    left = list(folders)
    assert at_once(lambda: archive(into=left.pop()), 3) == []
    assert partitions(database) == []
    rows = [sum(entry.rows for entry in folder.files()) for folder in folders]
    assert max(rows) == len(some())


def test_a_day_that_somebody_reads_is_left_for_the_next_time(
    database: Database, archive: Archive, folder: TickArchive
) -> None:
    store(database, some())
    before = checksum(database)
    with database.session() as reader:
        reader.execute(text("SELECT count(*) FROM ticks"))
        assert [(one.dropping, one.written) for one in archive()] == [(Dropping.BUSY, True)]
        assert len(folder.files()) == 1
    assert checksum(database) == before
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, False)]


def test_a_day_that_somebody_writes_is_left_for_the_next_time(database: Database, archive: Archive) -> None:
    store(database, some())
    with database.session() as writer:
        writer.execute(text(f"INSERT INTO ticks VALUES ('{OPEN}', 3, 1, 7, 1, 'b', 't', 's')"))
        assert [one.dropping for one in archive()] == [Dropping.BUSY]
    assert len(checksum(database)) == len(some()) + 1


def test_ticks_that_come_in_after_the_file_was_written_are_not_lost(
    database: Database, archive: Archive, restore: Restore, folder: TickArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, some())
    drop = days.drop_day

    def drop_late(*args: object) -> Dropping:
        store(database, [Tick(OPEN, 3, 1, 7.0)])
        return drop(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(days, "drop_day", drop_late)
    assert [one.dropping for one in archive()] == [Dropping.GREW]
    monkeypatch.undo()
    before = checksum(database)
    assert len(before) == len(some()) + 1
    assert [(one.dropping, one.written) for one in archive()] == [(Dropping.DROPPED, True)]
    restore()
    assert checksum(database) == before
    assert {entry.day for entry in folder.files()} == {DAY}
