"""Records the gaps between bars."""

from sqlalchemy import Connection, text

# Each is looked up by its key: a join would read all gaps as soon as the planner takes the staged table for large.
_DELETE = text("""
    DELETE FROM gaps WHERE ctid = ANY (ARRAY(
      SELECT ended.ctid FROM staged_rewrites r CROSS JOIN LATERAL (
        SELECT g.ctid FROM gaps g
        WHERE g.instrument_id = r.instrument_id AND g.timeframe = r.timeframe AND g.starts_at = r.ts LIMIT 1
      ) AS ended
    ))
""")
_WRITE = text("""
    INSERT INTO gaps AS g (instrument_id, timeframe, starts_at, ends_at, gap_type, magnitude_pct)
    SELECT instrument_id, timeframe, previous_end, ts, gap_type, gap_magnitude_pct
    FROM staged_rewrites WHERE gap_detected
    ON CONFLICT (instrument_id, timeframe, starts_at) DO UPDATE
      SET ends_at = EXCLUDED.ends_at, gap_type = EXCLUDED.gap_type, magnitude_pct = EXCLUDED.magnitude_pct
      WHERE (g.ends_at, g.gap_type, g.magnitude_pct)
        IS DISTINCT FROM (EXCLUDED.ends_at, EXCLUDED.gap_type, EXCLUDED.magnitude_pct)
""")


def update_gaps(connection: Connection) -> int:
    """Delete gaps that start at a bar, and write those before rewritten bars; returns how many were written."""
    connection.execute(_DELETE)
    return int(connection.execute(_WRITE).rowcount)
