"""Writes the staged bars: new bars, and new revisions of bars that changed."""

from sqlalchemy import Connection, text

from strandline.bars.session_gaps import name_session_gaps

# The bar after each staged one is written again as well, because its gap may have changed; the bar before each is only
# read.
_CHAIN = text("""
    INSERT INTO staged_rewrites
    WITH near AS (
      SELECT 1 AS part, s.* FROM staged_bars s
      UNION ALL
      SELECT 2, following.* FROM staged_bars s CROSS JOIN LATERAL (
        SELECT b.instrument_id, b.timeframe, b.ts, b.open, b.high, b.low, b.close, b.volume, b.quote_volume, b.vwap,
               b.ticks, b.source, b.outage, b.dropped, b.repaired
        FROM bars b WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts > s.ts
        ORDER BY b.ts LIMIT 1
      ) AS following
      UNION ALL
      SELECT 3, preceding.* FROM staged_bars s CROSS JOIN LATERAL (
        SELECT b.instrument_id, b.timeframe, b.ts, b.open, b.high, b.low, b.close, b.volume, b.quote_volume, b.vwap,
               b.ticks, b.source, b.outage, b.dropped, b.repaired
        FROM bars b WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts < s.ts
        ORDER BY b.ts DESC LIMIT 1
      ) AS preceding
    ), chained AS (
      SELECT *, lag(ts) OVER series + length AS previous_end, lag(close) OVER series AS previous_close,
             lag(outage) OVER series AS previous_outage
      FROM (SELECT DISTINCT ON (instrument_id, timeframe, ts) * FROM near
            ORDER BY instrument_id, timeframe, ts, part) AS once
      JOIN staged_frames USING (timeframe)
      WINDOW series AS (PARTITION BY instrument_id, timeframe ORDER BY ts)
    )
    SELECT instrument_id, timeframe, ts, open, high, low, close, volume, quote_volume, vwap, ticks, source, outage,
           dropped, repaired, previous_end, COALESCE(previous_end < ts, false),
           CASE WHEN previous_end < ts AND open BETWEEN 1e-100 AND 1e100 AND previous_close BETWEEN 1e-100 AND 1e100
                THEN (open / previous_close - 1) * 100 ELSE 0 END,
           CASE WHEN previous_end < ts
                THEN CASE WHEN outage OR previous_outage THEN 'outage'::gap_type ELSE 'quiet' END END
    FROM chained WHERE part < 3
""")
_WRITE = text("""
    WITH written AS (
      INSERT INTO bars (instrument_id, timeframe, ts, known_seq, open, high, low, close, volume, quote_volume, vwap,
                        ticks, source, outage, dropped, repaired, gap_detected, gap_magnitude_pct, gap_type)
      SELECT instrument_id, timeframe, ts, :known_seq, open, high, low, close, volume, quote_volume, vwap,
             ticks, source, outage, dropped, repaired, gap_detected, gap_magnitude_pct, gap_type
      FROM staged_rewrites ORDER BY instrument_id, timeframe, ts
      ON CONFLICT (instrument_id, timeframe, ts) DO UPDATE SET
        revision = bars.revision + 1, known_seq = EXCLUDED.known_seq, open = EXCLUDED.open, high = EXCLUDED.high,
        low = EXCLUDED.low, close = EXCLUDED.close, volume = EXCLUDED.volume, quote_volume = EXCLUDED.quote_volume,
        vwap = EXCLUDED.vwap, ticks = EXCLUDED.ticks, source = EXCLUDED.source, outage = EXCLUDED.outage,
        dropped = EXCLUDED.dropped, repaired = EXCLUDED.repaired, gap_detected = EXCLUDED.gap_detected,
        gap_magnitude_pct = EXCLUDED.gap_magnitude_pct, gap_type = EXCLUDED.gap_type
      WHERE (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.quote_volume, bars.vwap, bars.ticks,
             bars.source, bars.outage, bars.dropped, bars.repaired, bars.gap_detected, bars.gap_magnitude_pct,
             bars.gap_type)
        IS DISTINCT FROM
            (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close, EXCLUDED.volume, EXCLUDED.quote_volume,
             EXCLUDED.vwap, EXCLUDED.ticks, EXCLUDED.source, EXCLUDED.outage, EXCLUDED.dropped, EXCLUDED.repaired,
             EXCLUDED.gap_detected, EXCLUDED.gap_magnitude_pct, EXCLUDED.gap_type)
      RETURNING bars.instrument_id, bars.timeframe, bars.ts, bars.revision
    )
    INSERT INTO staged_written SELECT * FROM written
""")


def write_staged(connection: Connection, known_seq: int) -> None:
    """Find the gaps between the staged bars and their neighbours, and write the bars that differ from those stored."""
    connection.execute(text("TRUNCATE staged_rewrites"))
    connection.execute(_CHAIN)
    name_session_gaps(connection)
    connection.execute(_WRITE, {"known_seq": known_seq})
