"""The sidecar's row in `heartbeats`: that it is alive, its watermark, and its counters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from strandline.store.connect_async import Connection

PROCESS: Final = "ingest"
SHARD: Final = "0/1"


async def write_heartbeat(
    connection: Connection,
    *,
    now: datetime,
    started_at: datetime,
    watermark: datetime | None,
    details: Mapping[str, Any],
) -> None:
    """Update the row. The watermark never falls: what was committed stays committed, whatever a new process knows."""
    await connection.execute(
        """
        INSERT INTO heartbeats AS old (process, shard, beat_at, started_at, watermark, details)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (process, shard) DO UPDATE SET
          beat_at = excluded.beat_at, started_at = excluded.started_at, details = excluded.details,
          watermark = greatest(old.watermark, excluded.watermark)
        """,
        PROCESS,
        SHARD,
        now,
        started_at,
        watermark,
        msgspec.json.encode(details).decode(),
    )
