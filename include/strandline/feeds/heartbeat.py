"""The sidecar's row in `heartbeats`: that it is alive, its watermark, and its counters."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from secrets import randbits
from typing import Any, Final

import msgspec

from strandline.feeds.shard import SidecarName
from strandline.store.connect_async import Connection

PROCESS: Final = "ingest"
SILENCE: Final = timedelta(seconds=15)
"""A sidecar that has not written its heartbeat for so long is taken for dead."""


class ReplacedError(Exception):
    """Another process was started as the same shard and replica."""


class Heartbeat:
    """One process's hold of its row. One that is started later takes the row over: two would mix their watermarks."""

    def __init__(self, name: SidecarName, started_at: datetime) -> None:
        self.name = name
        self._started_at = started_at
        self._run_id = randbits(63)

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the row."""
        return PROCESS, str(self.name.shard), self.name.replica

    async def take_over(self, connection: Connection, now: datetime) -> None:
        """Make the row this process's own; the watermark of the process before stays in it."""
        await connection.execute(
            """
            INSERT INTO heartbeats (process, shard, replica, run_id, beat_at, started_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (process, shard, replica) DO UPDATE SET
              run_id = excluded.run_id, beat_at = excluded.beat_at, started_at = excluded.started_at
            """,
            *self.key,
            self._run_id,
            now,
            self._started_at,
        )

    async def hold(self, connection: Connection) -> datetime:
        """Lock the row until the transaction ends, and return when it was last written; raise `ReplacedError`."""
        row = await connection.fetchrow(
            """
            SELECT beat_at FROM heartbeats
            WHERE (process, shard, replica) = ($1, $2, $3) AND run_id = $4 FOR UPDATE
            """,
            *self.key,
            self._run_id,
        )
        if row is None:
            raise ReplacedError
        beat_at: datetime = row["beat_at"]
        return beat_at

    async def write(
        self, connection: Connection, *, now: datetime, watermark: datetime | None, details: Mapping[str, Any]
    ) -> None:
        """Update the row, which is held.

        The watermark never falls: what was committed stays committed, whatever a new process knows.
        """
        await connection.execute(
            """
            UPDATE heartbeats SET beat_at = $4, watermark = greatest(watermark, $5), details = $6
            WHERE (process, shard, replica) = ($1, $2, $3)
            """,
            *self.key,
            now,
            watermark,
            msgspec.json.encode(details).decode(),
        )
