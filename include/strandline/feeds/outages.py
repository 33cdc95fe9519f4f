"""Records what each sidecar streams, and which minutes none of them streamed, so that their bars can say so."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from strandline.feeds.heartbeat import PROCESS, SILENCE, Heartbeat
from strandline.model.instants import from_microseconds
from strandline.store.connect_async import Connection
from strandline.venues.packed_ticks import PackedTicks

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_TRADE: Final = ord("t")
_KEPT: Final = timedelta(days=7)
_AHEAD: Final = timedelta(minutes=5)
"""Minutes so far ahead may have bars when a transaction commits; later ones are built after it."""

Alive = Mapping[tuple[str, str], bool]
"""Whether each sidecar, by shard and replica, has written its heartbeat lately."""


class Outages:
    """One sidecar's part of `stream_coverage`, and the outages that follow from everybody's.

    What is written first is safe: an outage before the ticks that follow it and before the watermark that passes it. Of
    a sidecar that is killed, coverage ends at the watermark in its heartbeat, although it writes nothing. Who lives
    notices that it died, and works out anew what nobody covered: each time from all coverage that is kept, so that no
    order of events makes a difference.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._streamed: dict[int, datetime] | None = None
        self._first_ticks: dict[int, datetime] = {}
        self._alive: Alive = {}

    def has_changed(self, streamed: Mapping[int, datetime]) -> bool:
        """Whether this is other than what was recorded last."""
        return streamed != self._streamed

    def saw(self, ticks: PackedTicks) -> None:
        """Remember the first trades that the venue replays of instruments that are not streamed yet."""
        streamed = self._streamed or {}
        for number in set(ticks["instrument_id"][ticks["kind"] == _TRADE].tolist()) - streamed.keys():
            first = from_microseconds(int(ticks["ts"][ticks["instrument_id"] == number].min()))
            self._first_ticks[number] = min(first, self._first_ticks.get(number, _NEVER))

    async def record(self, connection: Connection, streamed: Mapping[int, datetime], now: datetime) -> None:
        """Commit what has changed; `streamed` says since when each instrument is streamed without interruption.

        Repeating it changes nothing. Raises `ReplacedError`.
        """
        known = self._streamed or {}
        begun = {number: since for number, since in streamed.items() if known.get(number) != since}
        async with connection.transaction():
            if self._streamed is None:
                await self._heartbeat.take_over(connection, now)
                interrupted = None
            else:
                await self._heartbeat.hold(connection)
                interrupted = [number for number, since in known.items() if streamed.get(number) != since]
            await _lock(connection)
            ended = await self._end(connection, interrupted)
            await self._begin(connection, begun)
            alive = await self._settle(connection, {*ended, *begun}, now)
        self._streamed, self._alive = dict(streamed), alive
        for number in streamed:
            self._first_ticks.pop(number, None)

    async def review(self, connection: Connection, last_beat_at: datetime, now: datetime) -> None:
        """See which sidecars live, after a heartbeat; the one before was at `last_beat_at`.

        A sidecar that was silent itself may have been taken for dead by one that is gone by now.
        """
        silent = last_beat_at < now - SILENCE
        alive = await self._living(connection, now)
        if alive != self._alive or silent:
            if silent:
                self._alive = {}
            await _lock(connection)
            self._alive = await self._settle(connection, set(), now)

    async def _end(self, connection: Connection, instruments: Collection[int] | None) -> list[int]:
        """End the coverage of these, or of all of a process before this one, at the watermark; returns which it was."""
        rows = await connection.fetch(
            """
            UPDATE stream_coverage c SET through = greatest(c.since, h.watermark)
            FROM heartbeats h
            WHERE (h.process, h.shard, h.replica) = ($1, $2, $3) AND (c.shard, c.replica) = ($2, $3)
              AND c.through IS NULL AND ($4::integer[] IS NULL OR c.instrument_id = ANY ($4))
            RETURNING c.instrument_id
            """,
            *self._heartbeat.key,
            None if instruments is None else list(instruments),
        )
        return [row["instrument_id"] for row in rows]

    async def _begin(self, connection: Connection, begun: Mapping[int, datetime]) -> None:
        """Before an instrument was ever streamed, some trades were replayed: what is expected begins with those.

        The watermark may have passed an instrument that was down: its coverage begins at the later of both.
        """
        await connection.execute(
            """
            WITH begun AS (
              SELECT s.instrument_id, date_trunc('minute', s.first_tick, 'UTC') AS first_minute,
                     greatest(s.since, h.watermark) AS since
              FROM unnest($4::integer[], $5::timestamptz[], $6::timestamptz[]) AS s(instrument_id, first_tick, since)
              CROSS JOIN heartbeats h WHERE (h.process, h.shard, h.replica) = ($1, $2, $3)
            ), expected AS (
              INSERT INTO stream_coverage
              SELECT instrument_id, $2, $3, first_minute, first_minute FROM begun
              WHERE first_minute < since
                AND NOT EXISTS (SELECT FROM stream_coverage c WHERE c.instrument_id = begun.instrument_id)
            )
            INSERT INTO stream_coverage SELECT instrument_id, $2, $3, since FROM begun
            ON CONFLICT (instrument_id, shard, replica, since) DO UPDATE SET through = NULL
            """,
            *self._heartbeat.key,
            list(begun),
            [min(since, self._first_ticks.get(number, since)) for number, since in begun.items()],
            list(begun.values()),
        )

    async def _settle(self, connection: Connection, instruments: set[int], now: datetime) -> Alive:
        """Bring the outages of these up to date, and of all that sidecars cover which have died or come back since."""
        alive = await self._living(connection, now)
        turned = [name for name in alive.keys() | self._alive.keys() if alive.get(name) != self._alive.get(name)]
        rows = await connection.fetch(
            """
            SELECT DISTINCT instrument_id FROM stream_coverage JOIN unnest($1::text[], $2::text[]) AS t(shard, replica)
              USING (shard, replica) WHERE through IS NULL
            """,
            [shard for shard, _ in turned],
            [replica for _, replica in turned],
        )
        affected = instruments.union(row["instrument_id"] for row in rows)
        if affected:
            await _derive(connection, affected, alive, now)
        return alive

    async def _living(self, connection: Connection, now: datetime) -> Alive:
        """Which sidecars live, this one among them, whenever it last said so."""
        rows = await connection.fetch(
            "SELECT shard, replica, beat_at >= $2 AS alive FROM heartbeats WHERE process = $1", PROCESS, now - SILENCE
        )
        _, *own = self._heartbeat.key
        return {(row["shard"], row["replica"]): row["alive"] for row in rows} | {(own[0], own[1]): True}


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


async def delete_old_coverage(connection: Connection, now: datetime) -> None:
    """Delete what ended long ago, unless nothing came after it. Outages before what is left are final."""
    async with connection.transaction():
        await _lock(connection)
        await connection.execute(
            """
            WITH covered AS (
              SELECT c.*, COALESCE(c.through, greatest(c.since, h.watermark)) AS ends_at
              FROM stream_coverage c LEFT JOIN heartbeats h
                ON (h.process, h.shard, h.replica) = ($1, c.shard, c.replica)
            )
            DELETE FROM stream_coverage c USING covered old
            WHERE (c.instrument_id, c.since) = (old.instrument_id, old.since)
              AND (c.shard, c.replica) = (old.shard, old.replica) AND old.ends_at < $2
              AND EXISTS (SELECT FROM covered new WHERE new.instrument_id = old.instrument_id AND new.ends_at >= $2)
            """,
            PROCESS,
            now - _KEPT,
        )


async def _lock(connection: Connection) -> None:
    """Let one sidecar at a time change coverage and derive outages from it, until its transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('stream_coverage'))")


async def _derive(connection: Connection, instruments: Collection[int], alive: Alive, now: datetime) -> None:
    """Work out anew which minutes of these instruments nobody covered, and mark those as dirty that have changed.

    What a sidecar covers that has not ended counts as going on while it lives, else up to its watermark. A change may
    concern bars of the first day only: later ones were made by somebody who had recorded it.
    """
    await connection.execute(
        """
        WITH covered AS (
          SELECT c.instrument_id, c.since,
                 CASE WHEN c.through IS NOT NULL THEN c.through WHEN a.alive THEN 'infinity'
                      ELSE greatest(c.since, h.watermark) END AS through
          FROM stream_coverage c
          LEFT JOIN heartbeats h ON (h.process, h.shard, h.replica) = ($1, c.shard, c.replica)
          LEFT JOIN unnest($3::text[], $4::text[], $5::boolean[]) AS a(shard, replica, alive)
            ON (a.shard, a.replica) = (c.shard, c.replica)
          WHERE c.instrument_id = ANY ($2)
        ), together AS (
          SELECT instrument_id, min(since) AS since, range_agg(tstzrange(since, through)) AS covered,
                 date_trunc('minute', min(since) + interval '59.999999 s', 'UTC') AS first_minute
          FROM covered GROUP BY 1
        ), missing AS (
          SELECT instrument_id, first_minute,
                 unnest(tstzmultirange(tstzrange(since, 'infinity')) - covered) AS missed
          FROM together
        ), derived AS (
          SELECT instrument_id, lower(minutes) AS starts_at, upper(minutes) AS ends_at, minutes
          FROM (
            SELECT instrument_id, unnest(range_agg(tstzrange(
                     greatest(date_trunc('minute', lower(missed), 'UTC'), first_minute),
                     date_trunc('minute', upper(missed) + interval '59.999999 s', 'UTC')))) AS minutes
            FROM missing GROUP BY 1
          ) AS rounded
        ), recorded AS (
          SELECT o.*, tstzrange(o.starts_at, o.ends_at) AS minutes
          FROM outages o JOIN together t ON t.instrument_id = o.instrument_id AND o.starts_at >= t.first_minute
        ), removed AS (
          DELETE FROM outages o USING recorded r
          WHERE (o.instrument_id, o.starts_at) = (r.instrument_id, r.starts_at)
            AND NOT EXISTS (
              SELECT FROM derived d WHERE (d.instrument_id, d.starts_at) = (r.instrument_id, r.starts_at))
        ), written AS (
          INSERT INTO outages AS old (instrument_id, starts_at, ends_at, repaired_at)
          SELECT instrument_id, starts_at, ends_at,
                 (SELECT max(r.repaired_at) FROM recorded r
                  WHERE r.instrument_id = d.instrument_id AND r.minutes @> d.minutes)
          FROM derived d
          ON CONFLICT (instrument_id, starts_at)
            DO UPDATE SET ends_at = excluded.ends_at, repaired_at = excluded.repaired_at
            WHERE old.ends_at <> excluded.ends_at
        ), changed AS (
          SELECT instrument_id, unnest((is_now - COALESCE(was, '{}')) + (COALESCE(was, '{}') - is_now)) AS minutes
          FROM (
            SELECT t.instrument_id,
                   COALESCE((SELECT range_agg(d.minutes) FROM derived d WHERE d.instrument_id = t.instrument_id),
                            '{}') AS is_now,
                   (SELECT range_agg(r.minutes) FROM recorded r WHERE r.instrument_id = t.instrument_id) AS was
            FROM together t
          ) AS both_times
        )
        INSERT INTO dirty_minutes
        SELECT instrument_id, generate_series(
                 lower(minutes),
                 least(upper(minutes), lower(minutes) + interval '1 day', $6::timestamptz) - interval '1 minute',
                 interval '1 minute')
        FROM changed
        """,
        PROCESS,
        list(instruments),
        [shard for shard, _ in alive],
        [replica for _, replica in alive],
        list(alive.values()),
        now + _AHEAD,
    )
