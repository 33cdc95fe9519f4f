"""Builds bars of more than a minute from the bars of one minute, or from the venue's candle of their own length."""

from datetime import datetime

from sqlalchemy import Connection, text

# A series is built up to its newest bar, and the rest follows when it is final. So what must be built is: every bar
# with a minute that was dirty in this rollup, and every bar behind the newest one that has come to its end since then,
# however many cycles were missed. A changed minute at or before the newest bar is built even if `until` lies before
# the bar's end: a later rollup has already found it final.
#
# The venue's candle comes first where it has more trades than the minutes: they do not cover the whole bar. That is so
# before the history of minutes begins, and slow series are warm on their first day.
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
        SELECT s.*, date_bin(s.length, m.minute, 'epoch') AS ts
        FROM staged_minutes m JOIN series s USING (instrument_id)
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
    SELECT due.instrument_id, due.timeframe, due.ts, built.open, built.high, built.low, built.close, built.volume,
           built.quote_volume, built.vwap, built.ticks, built.source, built.outage, built.dropped, built.repaired
    FROM due CROSS JOIN LATERAL (
      SELECT *
      FROM (
        SELECT true AS from_minutes, (array_agg(open ORDER BY ts))[1] AS open, max(high) AS high, min(low) AS low,
               (array_agg(close ORDER BY ts))[count(*)] AS close,
               CASE WHEN bool_and(volume IS NOT NULL) THEN sum(volume ORDER BY ts) END AS volume,
               CASE WHEN bool_and(quote_volume IS NOT NULL) THEN sum(quote_volume ORDER BY ts) END AS quote_volume,
               CASE WHEN bool_and(quote_volume IS NOT NULL AND volume IS NOT NULL)
                    THEN sum(quote_volume ORDER BY ts) / NULLIF(sum(volume ORDER BY ts), 0) END AS vwap,
               sum(ticks)::integer AS ticks,
               CASE WHEN bool_or(source = 'r') THEN 'r'::"char" WHEN bool_or(source = 'a') THEN 'a' ELSE 's' END
                 AS source,
               bool_or(outage) AS outage, sum(dropped)::integer AS dropped,
               bool_or(repaired) AND bool_and(repaired OR NOT (outage OR dropped > 0)) AS repaired
        FROM bars b
        WHERE b.instrument_id = due.instrument_id AND b.timeframe = '1m'
          AND b.ts >= due.ts AND b.ts < due.ts + due.length
        HAVING count(*) > 0
        UNION ALL
        SELECT false, open, high, low, close, volume, NULL, NULL, COALESCE(trades, 0), 'r', false, 0, false
        FROM venue_candles c
        WHERE c.instrument_id = due.instrument_id AND c.timeframe = due.timeframe AND c.ts = due.ts AND c.volume > 0
      ) AS sources
      ORDER BY from_minutes AND ticks < max(ticks) FILTER (WHERE NOT from_minutes) OVER () IS TRUE, NOT from_minutes
      LIMIT 1
    ) AS built
""")


def stage(connection: Connection, until: datetime) -> None:
    """Build the bars of 5m to 1d that this rollup makes or changes."""
    connection.execute(text("TRUNCATE staged_bars"))
    connection.execute(_STAGE, {"until": until})
