"""Brings archived days back into the table of ticks."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine, text

from strandline.model.errors import StrandlineError
from strandline.retention.days import instrument_names
from strandline.retention.manifest import ArchivedFile
from strandline.retention.tick_archive import TickArchive
from strandline.retention.tick_bytes import Ticks
from strandline.retention.tick_file import read_instruments, read_ticks, verify

_STAGE: Final = text("CREATE TEMPORARY TABLE staged_ticks (LIKE ticks) ON COMMIT DROP")
_STORE: Final = text("""
    WITH stored AS (
      INSERT INTO ticks SELECT * FROM staged_ticks ON CONFLICT DO NOTHING RETURNING instrument_id, ts
    ), marked AS (
      INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM stored WHERE :rebuild
    )
    SELECT count(*) FROM stored
""")
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"


class RestoredFile(NamedTuple):
    """How many ticks a file has, and how many of them were missing in the table."""

    file: ArchivedFile
    stored: int


def restore_ticks(
    engine: Engine,
    archive: TickArchive,
    first: date,
    last: date,
    *,
    rebuild_bars: bool,
    report: Callable[[RestoredFile], None],
) -> list[RestoredFile]:
    """Store the ticks of these days that are in files and not in the table.

    Every file is verified before anything is stored. Bars stay as they are unless they are to be rebuilt: they were
    built from the same ticks.
    """
    chosen = [entry for entry in archive.files() if first <= entry.day <= last]
    with engine.connect() as connection:
        names = instrument_names(connection)
    for entry in chosen:
        verify(archive.path(entry), entry)
        _require_same_instruments(entry, read_instruments(archive.path(entry)), names)
    done = []
    for entry in chosen:
        done.append(RestoredFile(entry, _store_file(engine, archive, entry, rebuild_bars=rebuild_bars)))
        report(done[-1])
    return done


def _require_same_instruments(entry: ArchivedFile, then: Mapping[int, str], now: Mapping[int, str]) -> None:
    for number in entry.instruments:
        if then.get(number) != now.get(number):
            raise StrandlineError(
                f"in {entry.file} instrument {number} is {then.get(number)}, and in this database {now.get(number)}",
                "restore into the database that the ticks come from, or into a backup of it",
            )


def _store_file(engine: Engine, archive: TickArchive, entry: ArchivedFile, *, rebuild_bars: bool) -> int:
    with engine.begin() as connection:
        connection.execute(text("SELECT ensure_tick_partitions(:day, :day)"), {"day": entry.day})
    return sum(_store_ticks(engine, ticks, rebuild_bars=rebuild_bars) for ticks in read_ticks(archive.path(entry)))


def _store_ticks(engine: Engine, ticks: Ticks, *, rebuild_bars: bool) -> int:
    with engine.begin() as connection:
        # By turns with backfills, and with the dropping of a day.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('history_loads'))"))
        connection.execute(_STAGE)
        _copy(connection, ticks)
        return int(connection.scalar(_STORE, {"rebuild": rebuild_bars}) or 0)


def _copy(connection: Connection, ticks: Ticks) -> None:
    data = io.BytesIO(b"".join([_HEADER, *_copy_rows(ticks), _TRAILER]))
    with closing(connection.connection.cursor()) as cursor:
        cursor.copy_expert("COPY staged_ticks FROM STDIN (FORMAT binary)", data)


def _copy_rows(ticks: Ticks) -> Iterator[bytes]:
    """The rows as binary COPY wants them, with every bit as it was; rows with the same nulls have the same length."""
    has_size, has_side = ticks["has_size"] == b"+", ticks["side"] != b"-"
    for with_size in (True, False):
        for with_side in (True, False):
            chosen = ticks[(has_size == with_size) & (has_side == with_side)]
            nulls = {"size"} if not with_size else set()
            yield _rows_without(chosen, nulls | ({"side"} if not with_side else set()))


def _rows_without(ticks: Ticks, nulls: Iterable[str]) -> bytes:
    names = ("ts", "instrument_id", "trade_id", "price", "size", "side", "kind", "source")
    layout: list[tuple[str, str]] = [("columns", ">i2")]
    for name in names:
        layout.append((f"length of {name}", ">i4"))
        if name not in nulls:
            layout.append((name, ticks.dtype[name].str))
    rows = np.empty(len(ticks), np.dtype(layout))
    rows["columns"] = len(names)
    for name in names:
        rows[f"length of {name}"] = -1 if name in nulls else ticks.dtype[name].itemsize
        if name not in nulls:
            rows[name] = ticks[name]
    return rows.tobytes()
