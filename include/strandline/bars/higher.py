"""Builds bars of more than a minute from the bars of one minute."""

from datetime import datetime

from sqlalchemy import Connection, text

# A series is built up to its newest bar, and the rest follows when it is final. So what must be built is: every bar
# with a minute that changed in this rollup, and every bar behind the newest one that has come to its end since then,
# however many cycles were missed. A changed minute at or before the newest bar is built even if `until` lies before
# the bar's end: a later rollup has already found it final.
#
# If the volume of one minute is unknown, that of the whole bar is: a sum over the others would be too small.
_STAGE = text("""
    WITH series AS (
      SELECT i.instrument_id, f.timeframe, f.length, newest.ts AS newest
      FROM instruments i CROSS JOIN staged_frames f
      LEFT JOIN LATERAL (
        SELECT b.ts FROM bars b WHERE b.instrument_id = i.instrument_id AND b.timeframe = f.timeframe
        ORDER BY b.ts DESC LIMIT 1
      ) AS newest ON true
      WHERE f.timeframe <> '1m'
    ), due AS MATERIALIZED (
      SELECT instrument_id, timeframe, length, ts
      FROM (
        SELECT s.*, date_bin(s.length, w.ts, 'epoch') AS ts FROM staged_written w JOIN series s USING (instrument_id)
      ) AS changed
      WHERE ts <= newest OR ts + length <= :until
      UNION
      SELECT s.instrument_id, s.timeframe, s.length, ended.ts
      FROM series s CROSS JOIN LATERAL (
        SELECT DISTINCT date_bin(s.length, b.ts, 'epoch') AS ts FROM bars b
        WHERE b.instrument_id = s.instrument_id AND b.timeframe = '1m'
          AND b.ts >= COALESCE(s.newest + s.length, '-infinity') AND b.ts < date_bin(s.length, :until, 'epoch')
      ) AS ended
    )
    INSERT INTO staged_bars
    SELECT due.instrument_id, due.timeframe, due.ts, built.*
    FROM due CROSS JOIN LATERAL (
      SELECT (array_agg(open ORDER BY ts))[1], max(high), min(low), (array_agg(close ORDER BY ts))[count(*)],
             CASE WHEN bool_and(volume IS NOT NULL) THEN sum(volume ORDER BY ts) END,
             CASE WHEN bool_and(quote_volume IS NOT NULL) THEN sum(quote_volume ORDER BY ts) END,
             CASE WHEN bool_and(quote_volume IS NOT NULL AND volume IS NOT NULL)
                  THEN sum(quote_volume ORDER BY ts) / NULLIF(sum(volume ORDER BY ts), 0) END,
             sum(ticks)::integer,
             CASE WHEN bool_or(source = 'r') THEN 'r'::"char" WHEN bool_or(source = 'a') THEN 'a' ELSE 's' END,
             bool_or(outage), sum(dropped)::integer,
             bool_or(repaired) AND bool_and(repaired OR NOT (outage OR dropped > 0))
      FROM bars b
      WHERE b.instrument_id = due.instrument_id AND b.timeframe = '1m'
        AND b.ts >= due.ts AND b.ts < due.ts + due.length
    ) AS built
""")


def stage(connection: Connection, until: datetime) -> None:
    """Build the bars of 5m to 1d that this rollup makes or changes."""
    connection.execute(text("TRUNCATE staged_bars"))
    connection.execute(_STAGE, {"until": until})
