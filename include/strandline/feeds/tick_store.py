"""Inserts ticks and quarantined messages into the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from asyncpg.exceptions import (  # type: ignore[import-untyped]
    DataError,
    IntegrityConstraintViolationError,
    UniqueViolationError,
)

from strandline.feeds.dirty_minutes import DirtyMinutes, InstrumentMinute, minutes_of
from strandline.feeds.outages import record_dropped
from strandline.feeds.tick_copy import encode
from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage
from strandline.venues.packed_ticks import PackedTicks

_TICK_COLUMNS: Final = ("ts", "instrument_id", "trade_id", "price", "size", "side", "kind", "source")
_QUARANTINE_COLUMNS: Final = ("received_at", "token_chain", "source", "instrument_id", "reason", "payload")


async def insert_ticks(connection: Connection, ticks: PackedTicks, received_at: datetime, dirty: DirtyMinutes) -> int:
    """Commit the ticks together with the minutes that they make dirty; returns how many ticks were new.

    COPY is fast and fails on a duplicate; such a batch is then inserted without its duplicates. A batch that violates
    another constraint is halved until the tick that does is found and quarantined: it holds up no other.
    """
    try:
        try:
            return await _copy_all(connection, ticks, dirty)
        except UniqueViolationError:
            return await _insert_new(connection, ticks)
    except (IntegrityConstraintViolationError, DataError) as error:
        if len(ticks) > 1:
            middle = len(ticks) // 2
            stored = await insert_ticks(connection, ticks[:middle], received_at, dirty)
            return stored + await insert_ticks(connection, ticks[middle:], received_at, dirty)
        return await _quarantine(connection, ticks, received_at, str(error))


async def insert_quarantined(
    connection: Connection, messages: Sequence[QuarantinedMessage], received_at: datetime
) -> None:
    """Commit messages that could not be read."""
    records = [
        (received_at, it.venue.token_chain, it.source, it.instrument_id, it.reason, it.payload) for it in messages
    ]
    await connection.copy_records_to_table("quarantined_messages", records=records, columns=_QUARANTINE_COLUMNS)


async def _copy_all(connection: Connection, ticks: PackedTicks, dirty: DirtyMinutes) -> int:
    minutes = minutes_of(ticks)
    marked = dirty.due(minutes)
    if marked:
        async with connection.transaction():
            await _copy(connection, "ticks", ticks)
            await _mark(connection, marked)
    else:
        await _copy(connection, "ticks", ticks)
    await _mark(connection, dirty.committed(minutes, marked))
    return len(ticks)


async def _mark(connection: Connection, minutes: Collection[InstrumentMinute]) -> None:
    if minutes:
        await connection.copy_records_to_table("dirty_minutes", records=minutes, columns=("instrument_id", "minute"))


async def _insert_new(connection: Connection, ticks: PackedTicks) -> int:
    """Mark the minutes of the duplicates too: they may be of a commit that was not confirmed, and not marked by it."""
    async with connection.transaction():
        await _stage(connection, ticks)
        stored = await connection.fetchval(
            """
            WITH stored AS (
              INSERT INTO ticks SELECT * FROM staged_ticks ON CONFLICT DO NOTHING RETURNING 1
            ), marked AS (
              INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM staged_ticks
            )
            SELECT count(*) FROM stored
            """
        )
    return int(stored)


async def _quarantine(connection: Connection, ticks: PackedTicks, received_at: datetime, reason: str) -> int:
    async with connection.transaction():
        await _stage(connection, ticks)
        await connection.execute(
            """
            INSERT INTO quarantined_messages (received_at, token_chain, source, instrument_id, reason, payload)
            SELECT $1, i.token_chain, 'ticks', i.instrument_id, $2, convert_to(to_jsonb(s)::text, 'UTF8')
            FROM staged_ticks s JOIN instruments i USING (instrument_id)
            """,
            received_at,
            reason,
        )
        await record_dropped(connection, dict.fromkeys(minutes_of(ticks), 1))
    return 0


async def _stage(connection: Connection, ticks: PackedTicks) -> None:
    await connection.execute("CREATE TEMP TABLE staged_ticks (LIKE ticks) ON COMMIT DROP")
    await _copy(connection, "staged_ticks", ticks)


async def _copy(connection: Connection, table: str, ticks: PackedTicks) -> None:
    # A view, because asyncpg takes bytes for the path of a file.
    await connection.copy_to_table(table, source=memoryview(encode(ticks)), columns=_TICK_COLUMNS, format="binary")
