"""The record of what was loaded: `history_loads`."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from strandline.history.units import IN_FILES, Loaded, UnitKey
from strandline.store.connect_async import Connection


async def loaded_before(connection: Connection, key: UnitKey, instruments: Collection[int]) -> set[int]:
    """The instruments for which the unit was loaded already, with this content and all of this time."""
    found = await connection.fetch(
        """
        SELECT DISTINCT instrument_id FROM history_loads
        WHERE instrument_id = ANY ($1::integer[]) AND source = $2::history_source AND unit = $3
          AND starts_at <= $4 AND ends_at >= $5 AND ($6::text IS NULL OR content_hash = $6)
        """,
        list(instruments),
        key.source.value,
        key.name,
        key.starts_at,
        key.ends_at,
        key.content_hash,
    )
    return {row["instrument_id"] for row in found}


async def record_load(
    connection: Connection, key: UnitKey, content_hash: str, loaded: Mapping[int, Loaded], loaded_at: datetime
) -> None:
    """Record the unit, in the transaction that stores it; what another process has recorded meanwhile stays."""
    await connection.executemany(
        """
        INSERT INTO history_loads
          (instrument_id, source, unit, content_hash, starts_at, ends_at, hour, derived_ids, found, stored, changed,
           refused, loaded_at)
        VALUES ($1, $2::history_source, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13) ON CONFLICT DO NOTHING
        """,
        [
            (
                instrument_id,
                key.source.value,
                key.name,
                content_hash,
                key.starts_at,
                key.ends_at,
                key.hour,
                key.derived_ids,
                counts.found,
                counts.stored,
                counts.changed,
                json.dumps(counts.refused, sort_keys=True),
                loaded_at,
            )
            for instrument_id, counts in sorted(loaded.items())
            if IN_FILES not in counts.refused
        ],
    )


async def take_turns(connection: Connection) -> None:
    """Let backfills store one after the other, until the end of this transaction: they share rows at their edges."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('history_loads'))")
