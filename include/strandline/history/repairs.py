"""Marks what was missed as repaired once all of it has been loaded, whatever it was loaded from."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from strandline.history.units import OTHER_IDS, OUTSIDE, UnitKey
from strandline.store.connect_async import Connection


class LoadedTime(NamedTuple):
    """A time of which all trades of an instrument, or its candles, are stored."""

    instrument_id: int
    since: datetime
    until: datetime


async def mark_repaired(connection: Connection, loaded: Collection[LoadedTime], now: datetime) -> None:
    """Mark all that lies within these times, and its minutes dirty: their bars are no longer incomplete."""
    await connection.execute(
        """
        WITH loaded AS (
          SELECT instrument_id, range_agg(tstzrange(since, until)) AS times
          FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS l (instrument_id, since, until)
          GROUP BY instrument_id
        ), outage AS (
          UPDATE outages o SET repaired_at = $4 FROM loaded l
          WHERE o.instrument_id = l.instrument_id AND o.repaired_at IS NULL AND o.ends_at < 'infinity'
            AND tstzrange(o.starts_at, o.ends_at) <@ l.times
          RETURNING o.instrument_id, o.starts_at, o.ends_at
        ), dropped AS (
          UPDATE dropped_ticks d SET repaired_at = $4 FROM loaded l
          WHERE d.instrument_id = l.instrument_id AND d.repaired_at IS NULL
            AND tstzrange(d.minute, d.minute + interval '1 minute') <@ l.times
          RETURNING d.instrument_id, d.minute
        )
        INSERT INTO dirty_minutes
        SELECT instrument_id, generate_series(starts_at, ends_at - interval '1 minute', interval '1 minute') FROM outage
        UNION
        SELECT instrument_id, minute FROM dropped
        """,
        [one.instrument_id for one in loaded],
        [one.since for one in loaded],
        [one.until for one in loaded],
        now,
    )


async def whole_hours(connection: Connection, key: UnitKey, instruments: Collection[int]) -> list[LoadedTime]:
    """The times around this unit that archives cover, of instruments that missed something in them.

    Some trades of an hour are in the file of the next, so both must have been loaded, and from one dataset. A file in
    which a trade of the instrument could not be used covers nothing of it.
    """
    rows = await connection.fetch(
        """
        WITH missed AS (
          SELECT instrument_id, starts_at, ends_at FROM outages
          WHERE instrument_id = ANY ($1::integer[]) AND repaired_at IS NULL AND ends_at < 'infinity'
            AND ends_at > $2 AND starts_at < $3
          UNION ALL
          SELECT instrument_id, minute, minute + interval '1 minute' FROM dropped_ticks
          WHERE instrument_id = ANY ($1::integer[]) AND repaired_at IS NULL
            AND minute > $2::timestamptz - interval '1 minute' AND minute < $3
        ), whole AS (
          SELECT l.*, split_part(l.unit, '/', 1) AS dataset
          FROM (SELECT instrument_id, date_trunc('hour', min(starts_at), 'UTC') AS first, max(ends_at) AS last
                FROM missed GROUP BY 1) AS m
          JOIN history_loads l ON l.instrument_id = m.instrument_id
            AND l.hour >= m.first AND l.hour < m.last + interval '1 hour'
          WHERE l.refused - $4::text[] = '{}'
        )
        SELECT instrument_id, GREATEST(own.starts_at, following.starts_at, own.hour) AS since,
               LEAST(own.ends_at, following.ends_at, following.hour) AS until
        FROM whole own JOIN whole following USING (instrument_id, dataset)
        WHERE following.hour = own.hour + interval '1 hour'
          AND GREATEST(own.starts_at, following.starts_at, own.hour)
              < LEAST(own.ends_at, following.ends_at, following.hour)
        """,
        list(instruments),
        key.starts_at,
        key.ends_at,
        [OTHER_IDS, OUTSIDE],
    )
    return [LoadedTime(*row) for row in rows]
