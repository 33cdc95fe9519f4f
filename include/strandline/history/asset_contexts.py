"""Makes units of a venue's archive of asset contexts: one for each day's file."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Final

from strandline.history.archive import ArchivePlan, digest_of
from strandline.history.loads import record_load, take_turns
from strandline.history.units import OUTSIDE, Loaded, Unit, UnitKey
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.archive import Archive, ArchivedContext

_ANOTHER: Final = "another context is stored"
_COLUMNS: Final = (
    "instrument_id", "ts", "funding_rate", "open_interest", "mark_price", "oracle_price", "mid_price", "premium",
)  # fmt: skip


def context_units(
    archive: Archive,
    folder: Path,
    instruments: Mapping[str, int],
    starts_at: datetime,
    ends_at: datetime,
    loaded_at: datetime,
) -> ArchivePlan:
    """Plan the files to read, the oldest first; the days of which there is none are missing."""
    units, missing = [], []
    for day in Timeframe.D1.starts(starts_at, ends_at):
        path = archive.contexts_path_of(folder, day)
        if path is None:
            missing.append(day)
        else:
            span = max(starts_at, day), min(ends_at, day + Timeframe.D1.length)
            units.append(_unit(archive, path, day, instruments, span, loaded_at))
    return ArchivePlan(units, missing)


def _unit(
    archive: Archive,
    path: Path,
    day: datetime,
    instruments: Mapping[str, int],
    span: tuple[datetime, datetime],
    loaded_at: datetime,
) -> Unit:
    name = f"asset_ctxs/{day:%Y%m%d}"

    def key() -> UnitKey:
        return UnitKey(HistorySource.ARCHIVE, name, *span, digest_of(path))

    async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
        return await _load(connection, archive, path, key, wanted, loaded_at)

    return Unit(name, instruments, key, load, complete_until=day, since=span[0], until=span[1])


async def _load(
    connection: Connection,
    archive: Archive,
    path: Path,
    key: UnitKey,
    wanted: Mapping[str, int],
    loaded_at: datetime,
) -> Mapping[int, Loaded]:
    """Check and store them, and record the unit; repeating it changes nothing."""
    await connection.execute("DROP TABLE IF EXISTS staged_contexts")
    await connection.execute("CREATE TEMP TABLE staged_contexts (LIKE asset_contexts)")
    await connection.execute("ALTER TABLE staged_contexts ALTER loaded_at DROP NOT NULL")
    refused: Mapping[int, Counter[str]] = {number: Counter() for number in wanted.values()}
    for batch in archive.read_contexts(path, wanted):
        rows = []
        for one in batch:
            if fault := _fault(one, key, loaded_at):
                refused[wanted[one.token]][fault] += 1
            else:
                rows.append((wanted[one.token], *one[:1], *one[2:]))
        await connection.copy_records_to_table("staged_contexts", records=rows, columns=_COLUMNS)
    async with connection.transaction():
        await take_turns(connection)
        counts = await _store(connection, wanted.values(), loaded_at)
        for number, reasons in refused.items():
            counts[number].refused += reasons
        await record_load(connection, key, str(key.content_hash), counts, loaded_at)
    await connection.execute("DROP TABLE staged_contexts")
    return counts


def _fault(context: ArchivedContext, key: UnitKey, now: datetime) -> str | None:
    """Why it is refused, if it is."""
    numbers = [number for number in context[2:] if number is not None]
    if not all(map(isfinite, numbers)):
        return "not a finite number"
    prices = (context.mark_price, context.oracle_price, context.mid_price)
    if any(price is not None and price <= 0 for price in prices):
        return "price not above 0"
    if context.open_interest < 0:
        return "open interest below 0"
    if context.ts > now:
        return "in the future"
    return None if key.starts_at <= context.ts < key.ends_at else OUTSIDE


async def _store(connection: Connection, instruments: Collection[int], loaded_at: datetime) -> dict[int, Loaded]:
    """Insert what is new; what is stored with other numbers is refused."""
    rows = await connection.fetch(
        """
        WITH once AS (
          SELECT DISTINCT ON (instrument_id, ts) * FROM staged_contexts
          ORDER BY instrument_id, ts, funding_rate, open_interest, mark_price, oracle_price, mid_price, premium
        ), differing AS (
          SELECT once.instrument_id FROM once JOIN asset_contexts old USING (instrument_id, ts)
          WHERE (old.funding_rate, old.open_interest, old.mark_price, old.oracle_price, old.mid_price, old.premium)
            IS DISTINCT FROM
            (once.funding_rate, once.open_interest, once.mark_price, once.oracle_price, once.mid_price, once.premium)
        ), stored AS (
          INSERT INTO asset_contexts
            (instrument_id, ts, funding_rate, open_interest, mark_price, oracle_price, mid_price, premium, loaded_at)
          SELECT instrument_id, ts, funding_rate, open_interest, mark_price, oracle_price, mid_price, premium, $1
          FROM once
          ON CONFLICT DO NOTHING RETURNING instrument_id
        )
        SELECT instrument_id, (SELECT count(*) FROM once o WHERE o.instrument_id = i.instrument_id)::integer AS found,
               (SELECT count(*) FROM stored s WHERE s.instrument_id = i.instrument_id)::integer AS stored,
               (SELECT count(*) FROM differing d WHERE d.instrument_id = i.instrument_id)::integer AS differing
        FROM unnest($2::integer[]) AS i (instrument_id)
        """,
        loaded_at,
        list(instruments),
    )
    return {
        row["instrument_id"]: Loaded(
            row["found"] - row["differing"],
            row["stored"],
            0,
            Counter({_ANOTHER: row["differing"]} if row["differing"] else {}),
        )
        for row in rows
    }
