"""Names the gaps in which the venue was closed."""

from sqlalchemy import Connection, text

# A bar begins a session if one opened between the end of the bar before it and its own end: longer bars reach over the
# opening. Of several closed times the strongest name counts, which is the order of the enumeration. Where the venue was
# open too in that gap, and no sidecar streamed it then, trades may be missing: that is an outage, whatever else it is.
_NAME = text("""
    UPDATE staged_rewrites r SET gap_type = found.gap_type
    FROM (
      SELECT g.instrument_id, g.timeframe, g.ts, CASE WHEN EXISTS (
          SELECT FROM outages o JOIN trading_sessions s
            ON s.opens_at < LEAST(o.ends_at, g.ts) AND s.closes_at > GREATEST(o.starts_at, g.previous_end)
          WHERE o.instrument_id = g.instrument_id AND o.starts_at < g.ts AND o.ends_at > g.previous_end
            AND s.calendar = i.calendar
        ) THEN 'outage' ELSE begun.gap_type END AS gap_type
      FROM staged_rewrites g JOIN staged_frames f USING (timeframe) JOIN instruments i USING (instrument_id)
      CROSS JOIN LATERAL (
        SELECT max(s.gap_before) AS gap_type FROM trading_sessions s
        WHERE s.calendar = i.calendar AND s.opens_at >= g.previous_end AND s.opens_at < g.ts + f.length
      ) AS begun
      WHERE g.gap_detected AND i.calendar IS NOT NULL AND begun.gap_type IS NOT NULL
    ) AS found
    WHERE (r.instrument_id, r.timeframe, r.ts) = (found.instrument_id, found.timeframe, found.ts)
""")


def name_session_gaps(connection: Connection) -> None:
    """Give the staged bars that begin a session the type of the closed time before it."""
    connection.execute(_NAME)
