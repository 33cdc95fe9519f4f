"""Moves old days of ticks from the database to files.

A day is written to a file, the file is read back, named and listed in the manifest, and only then the partition is
dropped, by the database, which compares its content with the file's once more while nobody can add to it. Killed at any
instant, the day is in the database or in a verified file, and doing it again ends it.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from strandline.retention import days
from strandline.retention.content import EMPTY
from strandline.retention.days import Dropping
from strandline.retention.manifest import ArchivedFile
from strandline.retention.tick_archive import TickArchive
from strandline.retention.tick_file import file_hash, verify, write_ticks


class ArchivedDay(NamedTuple):
    """What was done with a day; `written` says whether a new file was needed."""

    day: date
    dropping: Dropping
    rows: int
    written: bool


def archive_ticks(
    engine: Engine, archive: TickArchive, before: date, report: Callable[[ArchivedDay], None]
) -> list[ArchivedDay]:
    """Archive and drop every day before this one, oldest first; a day that is in use is left for the next time."""
    done = []
    with archive.locked():
        with engine.connect() as connection:
            old = days.days_before(connection, before)
        for day in old:
            done.append(_archive_day(engine, archive, day))
            report(done[-1])
    return done


def _archive_day(engine: Engine, archive: TickArchive, day: date) -> ArchivedDay:
    with engine.connect() as connection:
        content = days.content_of(connection, day)
    entry, written = None, False
    if content != EMPTY:
        entry = archive.holds(day, content)
        if entry is None:
            entry, written = _write_day(engine, archive, day), True
        content = entry.content
    return ArchivedDay(day, days.drop_day(engine, day, content), content.rows, written)


def _write_day(engine: Engine, archive: TickArchive, day: date) -> ArchivedFile:
    """Write the day as one snapshot shows it, read it back, and list it."""
    file = archive.unfinished(day)
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        written = write_ticks(file, days.minutes_of(connection, day), days.instrument_names(connection))
    content = written.result()
    entry = ArchivedFile(
        day=day,
        file=f"{day}.{content.content_hash[:12]}.parquet",
        rows=content.rows,
        first_ts=written.first_ts,
        last_ts=written.last_ts,
        bytes=_size(file),
        sha256=file_hash(file),
        content_hash=content.content_hash,
        instruments=dict(sorted(written.by_instrument.items())),
    )
    verify(file, entry)
    archive.publish(file, entry)
    return entry


def _size(file: Path) -> int:
    return file.stat().st_size
