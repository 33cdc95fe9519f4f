"""Records which minutes of which instruments were not received completely, so that their bars can say so."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from strandline.feeds.heartbeat import PROCESS, SHARD
from strandline.model.instants import from_microseconds
from strandline.store.connect_async import Connection
from strandline.venues.feed import TickRow

_MINUTE: Final = timedelta(minutes=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Outages:
    """The outages of the instruments that are streamed: one row for each, open until the instrument is streamed again.

    What is written first is safe: an outage before the ticks that follow it and before the watermark that passes it.
    After a crash the next process finds the watermark in the heartbeat, and takes everything since then for an outage.
    """

    def __init__(self) -> None:
        self._streamed: dict[int, datetime] | None = None
        self._first_ticks: dict[int, datetime] = {}

    def has_changed(self, streamed: Mapping[int, datetime]) -> bool:
        """Whether this is other than what was recorded last."""
        return streamed != self._streamed

    def saw(self, rows: Iterable[TickRow]) -> None:
        """Remember the first trades that the venue replays of instruments that are not streamed yet."""
        streamed = self._streamed or {}
        new = {row[1] for row in rows if row[6] == b"t"} - streamed.keys()
        if new:
            for row in rows:
                if row[1] in new:
                    self._first_ticks[row[1]] = min(from_microseconds(row[0]), self._first_ticks.get(row[1], _NEVER))

    async def record(self, connection: Connection, streamed: Mapping[int, datetime]) -> None:
        """Commit what has changed; `streamed` says since when each instrument is streamed without interruption.

        Repeating it changes nothing.
        """
        interrupted = self._interrupted(streamed)
        async with connection.transaction():
            if interrupted is None or interrupted:
                await _open(connection, interrupted)
            await self._begin(connection, streamed)
            await _close(connection, streamed)
        self._streamed = dict(streamed)
        for number in streamed:
            self._first_ticks.pop(number, None)

    async def close(self, connection: Connection) -> None:
        """Close what another sidecar has left open though this one streams it."""
        await _close(connection, self._streamed or {})

    def _interrupted(self, streamed: Mapping[int, datetime]) -> list[int] | None:
        """The instruments that were interrupted since the last record; None, which means all, in a new process."""
        if self._streamed is None:
            return None
        return [number for number, since in self._streamed.items() if streamed.get(number) != since]

    async def _begin(self, connection: Connection, streamed: Mapping[int, datetime]) -> None:
        """Before an instrument was ever streamed, some trades were replayed: those minutes are incomplete."""
        await connection.execute(
            """
            WITH begun AS (
              INSERT INTO outages (instrument_id, starts_at, ends_at)
              SELECT instrument_id, date_trunc('minute', first_tick, 'UTC'), ends_at
              FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS s(instrument_id, first_tick, ends_at)
              WHERE NOT EXISTS (SELECT FROM outages o WHERE o.instrument_id = s.instrument_id)
              ON CONFLICT DO NOTHING RETURNING *
            )
            INSERT INTO dirty_minutes
            SELECT instrument_id, generate_series(starts_at, ends_at - interval '1 minute', interval '1 minute')
            FROM begun
            """,
            list(streamed),
            [min(since, self._first_ticks.get(number, since)) for number, since in streamed.items()],
            _ends(streamed),
        )


async def record_dropped(connection: Connection, dropped: Mapping[tuple[int, datetime], int]) -> None:
    """Commit how many ticks were dropped, by instrument and minute."""
    await connection.execute(
        """
        WITH counted AS (
          INSERT INTO dropped_ticks AS old (instrument_id, minute, dropped)
          SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::integer[])
          ON CONFLICT (instrument_id, minute)
            DO UPDATE SET dropped = old.dropped + excluded.dropped, repaired_at = NULL
          RETURNING instrument_id, minute
        )
        INSERT INTO dirty_minutes SELECT * FROM counted
        """,
        [number for number, _ in dropped],
        [minute for _, minute in dropped],
        list(dropped.values()),
    )


async def _open(connection: Connection, instruments: Collection[int] | None) -> None:
    """Open an outage of each of these, or of all that were ever streamed, that begins at the watermark.

    One that begins before the end of the last goes on with it. Minutes that may have a bar already become dirty; those
    after the last heartbeat have none, because what is received later is stored later.
    """
    await connection.execute(
        """
        WITH newest AS (
          SELECT DISTINCT ON (instrument_id) instrument_id, starts_at, ends_at FROM outages
          WHERE $1::integer[] IS NULL OR instrument_id = ANY ($1)
          ORDER BY instrument_id, starts_at DESC
        ), beat AS (
          SELECT date_trunc('minute', watermark, 'UTC') AS proved, date_trunc('minute', beat_at, 'UTC') AS beat_at
          FROM heartbeats WHERE (process, shard) = ($2, $3)
        ), opened AS (
          INSERT INTO outages (instrument_id, starts_at, ends_at)
          SELECT instrument_id, CASE WHEN proved > ends_at THEN proved ELSE starts_at END, 'infinity'
          FROM newest LEFT JOIN beat ON true WHERE ends_at < 'infinity'
          ON CONFLICT (instrument_id, starts_at) DO UPDATE SET ends_at = excluded.ends_at, repaired_at = NULL
          RETURNING instrument_id, starts_at
        )
        INSERT INTO dirty_minutes
        SELECT instrument_id, generate_series(greatest(starts_at, proved, beat_at - interval '1 day'),
                                              beat_at + interval '5 minutes', interval '1 minute')
        FROM opened CROSS JOIN beat
        """,
        None if instruments is None else list(instruments),
        PROCESS,
        SHARD,
    )


async def _close(connection: Connection, streamed: Mapping[int, datetime]) -> None:
    await connection.execute(
        """
        UPDATE outages o SET ends_at = greatest(s.ends_at, o.starts_at + interval '1 minute')
        FROM unnest($1::integer[], $2::timestamptz[]) AS s(instrument_id, ends_at)
        WHERE o.instrument_id = s.instrument_id AND o.ends_at = 'infinity'
        """,
        list(streamed),
        _ends(streamed),
    )


def _ends(streamed: Mapping[int, datetime]) -> list[datetime]:
    """The ends of the last minutes that are incomplete."""
    return [since.replace(second=0, microsecond=0) + _MINUTE for since in streamed.values()]
