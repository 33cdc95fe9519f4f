"""The temporary tables of one rollup."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from strandline.model.timeframe import Timeframe

_CREATE = text("""
    CREATE TEMPORARY TABLE staged_frames (timeframe timeframe, length interval) ON COMMIT DROP;
    CREATE TEMPORARY TABLE staged_minutes (instrument_id integer, minute timestamptz) ON COMMIT DROP;
    CREATE TEMPORARY TABLE staged_bars ON COMMIT DROP AS
      SELECT instrument_id, timeframe, ts, open, high, low, close, volume, quote_volume, vwap, ticks, source,
             outage, dropped, repaired
      FROM bars WHERE false;
    CREATE TEMPORARY TABLE staged_rewrites ON COMMIT DROP AS
      SELECT *, ts AS previous_end, false AS gap_detected, 0::double precision AS gap_magnitude_pct,
             NULL::gap_type AS gap_type
      FROM staged_bars;
    CREATE TEMPORARY TABLE staged_written (instrument_id integer, timeframe timeframe, ts timestamptz,
                                           revision integer) ON COMMIT DROP;
    -- The statements are many and short: compiling their plans would take longer than running them.
    SET LOCAL jit = off;
""")
_FRAMES = text("""
    INSERT INTO staged_frames
    SELECT * FROM unnest(CAST(:timeframes AS timeframe[]), CAST(:lengths AS interval[]))
""")
_COUNT = text("""
    SELECT timeframe, count(*) FILTER (WHERE revision = 0) AS new, count(*) FILTER (WHERE revision > 0) AS revised
    FROM staged_written GROUP BY timeframe ORDER BY timeframe
""")


def create_tables(connection: Connection) -> None:
    """Create the staging tables, which are dropped at the end of the transaction."""
    connection.execute(_CREATE)
    connection.execute(_FRAMES, {"timeframes": list(map(str, Timeframe)), "lengths": [t.length for t in Timeframe]})


def count_written(connection: Connection) -> tuple[Mapping[Timeframe, int], Mapping[Timeframe, int]]:
    """Count the new and the revised bars by timeframe."""
    counts = [(Timeframe(row.timeframe), row.new, row.revised) for row in connection.execute(_COUNT)]
    return {t: new for t, new, _ in counts if new}, {t: revised for t, _, revised in counts if revised}
