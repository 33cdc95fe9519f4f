"""Stores the ticks of one unit, all or none, with the minutes that they make dirty and the record of the unit."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Final, NamedTuple

from strandline.history.loads import record_load, take_turns
from strandline.history.repairs import mark_repaired, whole_hours
from strandline.history.units import IN_FILES, OTHER_IDS, OUTSIDE, DaysInFiles, Loaded, UnitKey
from strandline.model.ids import is_trade_id
from strandline.store.connect_async import Connection

_COLUMNS: Final = ("ts", "instrument_id", "trade_id", "price", "size", "side", "kind", "source", "rank")


class HistoricTick(NamedTuple):
    """A tick before it is checked. Of several with the same time and id, that of the lowest rank counts."""

    ts: datetime
    instrument_id: int
    trade_id: int
    price: float
    size: float | None
    side: bytes | None
    kind: bytes
    source: bytes = b"a"
    rank: int = 0


async def load_ticks(
    connection: Connection,
    key: UnitKey,
    instruments: Collection[int],
    batches: Iterable[Sequence[HistoricTick]],
    loaded_at: datetime,
    in_files: DaysInFiles = (),
) -> Mapping[int, Loaded]:
    """Check and store the ticks, and record the unit; repeating it changes nothing.

    They are staged batch by batch outside of any transaction, so that reading a large file neither takes memory nor
    holds a lock.
    """
    await connection.execute("DROP TABLE IF EXISTS staged_ticks")
    await connection.execute("CREATE TEMP TABLE staged_ticks (LIKE ticks, rank smallint NOT NULL)")
    refused: Mapping[int, Counter[str]] = {number: Counter() for number in instruments}
    for batch in batches:
        rows = []
        for tick in batch:
            if fault := _fault(tick, key, loaded_at, in_files):
                refused[tick.instrument_id][fault] += 1
            else:
                rows.append(tick)
        await connection.copy_records_to_table("staged_ticks", records=rows, columns=_COLUMNS)
    await _ensure_partitions(connection)
    async with connection.transaction():
        await take_turns(connection)
        loaded = await _store(connection, key)
        counts = {number: loaded.get(number, Loaded()) for number in instruments}
        for number, reasons in refused.items():
            counts[number].refused += reasons
        await record_load(connection, key, str(key.content_hash), counts, loaded_at)
        if key.hour is not None:
            await mark_repaired(connection, await whole_hours(connection, key, instruments), loaded_at)
    await connection.execute("DROP TABLE staged_ticks")
    return counts


def fault_of_numbers(price: float, size: float | None) -> str | None:
    """Why a tick with this price and size is refused, if it is; a polled price has no size."""
    if not (isfinite(price) and (size is None or isfinite(size))):
        return "not a finite number"
    if price <= 0:
        return "price not above 0"
    return "size not above 0" if size is not None and size <= 0 else None


def _fault(tick: HistoricTick, key: UnitKey, now: datetime, in_files: DaysInFiles) -> str | None:
    """Why the tick is refused, if it is."""
    if fault := fault_of_numbers(tick.price, tick.size):
        return fault
    if not is_trade_id(tick.trade_id):
        return "id out of range"
    if tick.ts > now:
        return "in the future"
    if not key.starts_at <= tick.ts < key.ends_at:
        return OUTSIDE
    return IN_FILES if in_files and (tick.instrument_id, tick.ts.date()) in in_files else None


async def _ensure_partitions(connection: Connection) -> None:
    """Make the partition of each day, in transactions of their own: nobody waits for the unit because of them."""
    days = await connection.fetch("SELECT DISTINCT ts::date AS day FROM staged_ticks ORDER BY day")
    for row in days:
        await connection.execute("SELECT ensure_tick_partitions($1, $1)", row["day"])


async def _store(connection: Connection, key: UnitKey) -> dict[int, Loaded]:
    """Insert what is new. An hour that was loaded from a dataset with another kind of ids is left as it is."""
    rows = await connection.fetch(
        """
        WITH chosen AS (
          SELECT DISTINCT ON (ts, instrument_id, trade_id) * FROM staged_ticks
          ORDER BY ts, instrument_id, trade_id, rank, price, size, side
        ), free AS (
          SELECT * FROM chosen c WHERE $1::timestamptz IS NULL OR NOT EXISTS (
            SELECT FROM history_loads l
            WHERE l.instrument_id = c.instrument_id AND l.hour = date_trunc('hour', c.ts) AND l.derived_ids <> $2
              AND l.found > 0 AND l.starts_at <= c.ts AND l.ends_at > c.ts)
        ), stored AS (
          INSERT INTO ticks (ts, instrument_id, trade_id, price, size, side, kind, source)
          SELECT ts, instrument_id, trade_id, price, size, side, kind, source FROM free
          ORDER BY ts, instrument_id, trade_id
          ON CONFLICT DO NOTHING RETURNING instrument_id, ts
        ), marked AS (
          INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM stored
        )
        SELECT instrument_id, sum(found)::integer AS found, sum(free)::integer AS free, sum(stored)::integer AS stored
        FROM (
          SELECT instrument_id, count(*) AS found, 0 AS free, 0 AS stored FROM chosen GROUP BY 1
          UNION ALL SELECT instrument_id, 0, count(*), 0 FROM free GROUP BY 1
          UNION ALL SELECT instrument_id, 0, 0, count(*) FROM stored GROUP BY 1
        ) AS counted GROUP BY instrument_id
        """,
        key.hour,
        key.derived_ids,
    )
    return {
        row["instrument_id"]: Loaded(
            found=row["free"],
            stored=row["stored"],
            refused=Counter({OTHER_IDS: row["found"] - row["free"]} if row["found"] > row["free"] else {}),
        )
        for row in rows
    }
