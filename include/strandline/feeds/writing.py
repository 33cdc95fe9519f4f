"""Puts ticks, and what was refused, into the database."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from asyncpg.exceptions import (  # type: ignore[import-untyped]
    DataError,
    IntegrityConstraintViolationError,
    UniqueViolationError,
)

from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage, TickRow

_TICK: Final = ("ts", "instrument_id", "trade_id", "price", "size", "side", "kind", "source")
_REFUSED: Final = ("received_at", "token_chain", "source", "instrument_id", "reason", "payload")


async def write_ticks(connection: Connection, rows: Sequence[TickRow], received_at: datetime, *, anew: bool) -> int:
    """Commit the ticks and the minutes that they touch together; how many there are that were not there before.

    The fast way refuses a batch with a double in it, which then goes the slow way, as does one of which nobody knows
    whether it was committed: `anew` says that it cannot have been. What the table does not take either way is
    quarantined, so that nothing behind it has to wait.
    """
    try:
        if anew:
            with contextlib.suppress(UniqueViolationError):
                return await _write_all(connection, rows)
        return await _write_what_is_new(connection, rows)
    except (IntegrityConstraintViolationError, DataError) as error:
        return await _quarantine(connection, rows, received_at, str(error))


async def write_refused(connection: Connection, refused: Sequence[QuarantinedMessage], received_at: datetime) -> None:
    """Commit what could not be understood."""
    records = [
        (received_at, one.venue.token_chain, one.source, one.instrument_id, one.reason, one.payload) for one in refused
    ]
    await connection.copy_records_to_table("quarantined_messages", records=records, columns=_REFUSED)


async def _write_all(connection: Connection, rows: Sequence[TickRow]) -> int:
    minutes = {(row[1], row[0].replace(second=0, microsecond=0)) for row in rows}
    async with connection.transaction():
        await connection.copy_records_to_table("ticks", records=rows, columns=_TICK)
        await connection.copy_records_to_table("dirty_minutes", records=minutes, columns=("instrument_id", "minute"))
    return len(rows)


async def _write_what_is_new(connection: Connection, rows: Sequence[TickRow]) -> int:
    async with connection.transaction():
        await _stage(connection, rows)
        stored = await connection.fetchval(
            """
            WITH stored AS (
              INSERT INTO ticks SELECT * FROM staged_ticks ON CONFLICT DO NOTHING RETURNING instrument_id, ts
            ), marked AS (
              INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM stored
            )
            SELECT count(*) FROM stored
            """
        )
    return int(stored)


async def _quarantine(connection: Connection, rows: Sequence[TickRow], received_at: datetime, reason: str) -> int:
    async with connection.transaction():
        await _stage(connection, rows)
        await connection.execute(
            """
            INSERT INTO quarantined_messages (received_at, token_chain, source, instrument_id, reason, payload)
            SELECT $1, i.token_chain, 'ticks', i.instrument_id, $2, convert_to(to_jsonb(s)::text, 'UTF8')
            FROM staged_ticks s JOIN instruments i USING (instrument_id)
            """,
            received_at,
            reason,
        )
    return 0


async def _stage(connection: Connection, rows: Sequence[TickRow]) -> None:
    await connection.execute("CREATE TEMP TABLE staged_ticks (LIKE ticks) ON COMMIT DROP")
    await connection.copy_records_to_table("staged_ticks", records=rows, columns=_TICK)
