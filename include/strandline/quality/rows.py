"""The checks of rows: whether there is enough recent data for each that may be traded, and in time."""

from typing import Final

from strandline.model.strategy import Strategy
from strandline.quality.severity import Severity
from strandline.quality.suite import FRAMES, Check, Suite, between, not_below, null, with_literals
from strandline.quality.window import Window

# One row for each row that may be traded, with what is counted of its data. A minute without a trade has no bar, so an
# outage may have left none: such a minute counts as lost until the outage is repaired.
_WINDOW: Final = """
    WITH traded AS (
      SELECT i.instrument_id, p.timeframe, f.length, CAST(:cycle AS timestamptz) - f.length AS newest_final,
             EXTRACT(epoch FROM i.stale_after) AS stale_after
      FROM positions p
      JOIN instruments i USING (token_chain, book_id, token_contract)
      JOIN (VALUES {frames}) AS f (timeframe, length) USING (timeframe)
      WHERE p.desired_status <> 'archived'
    ), newest AS (
      SELECT instrument_id, max(ts) AS ts FROM ticks WHERE ts >= :stale_before AND ts <= :future GROUP BY 1
    )
    SELECT r.instrument_id, CAST(r.timeframe AS text) AS timeframe, CAST(NULL AS timestamptz) AS ts,
           newest.ts AS newest_tick, r.stale_after,
           COALESCE(EXTRACT(epoch FROM CAST(:as_of AS timestamptz) - newest.ts), 'Infinity') AS age,
           history.bars, damage.damaged_bars, damage.dropped, damage.newest_damaged,
           lost.minute AS lost_minute
    FROM traded AS r LEFT JOIN newest USING (instrument_id)
    CROSS JOIN LATERAL (
      SELECT count(*) AS bars FROM (
        SELECT FROM bars b
        WHERE b.instrument_id = r.instrument_id AND b.timeframe = r.timeframe AND b.ts <= r.newest_final
        ORDER BY b.ts DESC LIMIT :bars_needed
      ) AS counted
    ) AS history
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE damaged) AS damaged_bars, sum(dropped) FILTER (WHERE damaged) AS dropped,
             max(ts) FILTER (WHERE damaged) AS newest_damaged
      FROM (
        SELECT b.ts, b.dropped, (b.outage OR b.dropped > 0) AND NOT b.repaired AS damaged FROM bars b
        WHERE b.instrument_id = r.instrument_id AND b.timeframe = r.timeframe AND b.ts <= r.newest_final
        ORDER BY b.ts DESC LIMIT :outage_bars
      ) AS looked_at
    ) AS damage
    LEFT JOIN LATERAL (
      SELECT lost.minute FROM outages o
      CROSS JOIN LATERAL generate_series(
        GREATEST(o.starts_at, CAST(:cycle AS timestamptz) - :outage_bars * r.length),
        LEAST(o.ends_at, CAST(:cycle AS timestamptz)) - interval '1 minute', interval '1 minute') AS lost (minute)
      WHERE o.instrument_id = r.instrument_id AND o.repaired_at IS NULL
        AND o.ends_at > CAST(:cycle AS timestamptz) - :outage_bars * r.length AND o.starts_at < :cycle
        AND NOT EXISTS (
          SELECT FROM bars b
          WHERE b.instrument_id = r.instrument_id AND b.timeframe = '1m' AND b.ts = lost.minute)
      LIMIT 1
    ) AS lost ON true
""".replace("{frames}", FRAMES)
# A run of an older cycle looks at what came before the next cycle only.
_KNOWN_SINCE: Final = """
          b.known_seq > (SELECT known_seq FROM cycles WHERE cycle_t < :cycle ORDER BY cycle_t DESC LIMIT 1)
      AND b.known_seq <= COALESCE(
        (SELECT known_seq FROM cycles WHERE cycle_t > :cycle ORDER BY cycle_t LIMIT 1), 9223372036854775807)
"""
# Ticks do not tell when they came. What they changed does: a minute that was over and known, and then got more ticks.
_LATE: Final = """
    SELECT b.instrument_id, NULL AS timeframe, max(b.ts) AS ts, count(*) AS minutes, min(b.ts) AS oldest
    FROM bars b
    WHERE b.instrument_id IN (SELECT instrument_id FROM {batch}) AND b.timeframe = '1m' AND b.source = 's'
      AND {known_since}
      AND b.ts < (SELECT max(cycle_t) FROM cycles WHERE cycle_t < :cycle)
                 - CAST(:late_seconds AS double precision) * interval '1 second' - interval '1 minute'
      AND NOT EXISTS (
        SELECT FROM bar_revisions r
        WHERE r.instrument_id = b.instrument_id AND r.timeframe = b.timeframe AND r.ts = b.ts
          AND r.ticks >= b.ticks
          AND r.known_seq <= (SELECT known_seq FROM cycles WHERE cycle_t < :cycle ORDER BY cycle_t DESC LIMIT 1))
    GROUP BY 1
""".replace("{known_since}", _KNOWN_SINCE.strip())
# A minute that was streamed without an outage, and whose bar is the venue's candle all the same: its trades were not
# the venue's, or none came. Before a stream began, and without one, candles are all that there is. Only bars of candles
# have a volume and no quote volume.
_REPLACED: Final = """
    SELECT b.instrument_id, NULL AS timeframe, max(b.ts) AS ts, count(*) AS minutes, min(b.ts) AS oldest
    FROM bars b
    WHERE b.instrument_id IN (SELECT instrument_id FROM {batch}) AND b.timeframe = '1m' AND b.source = 'r'
      AND b.volume IS NOT NULL AND b.quote_volume IS NULL AND NOT b.outage AND b.dropped = 0
      AND b.ts > (SELECT min(o.starts_at) FROM outages o WHERE o.instrument_id = b.instrument_id)
      AND {known_since}
    GROUP BY 1
""".replace("{known_since}", _KNOWN_SINCE.strip())
_SHOWN: Final = ("newest_tick", "newest_damaged", "dropped")


def rows_suite(window: Window, strategy: Strategy) -> Suite:
    """The checks of every row that is not archived."""
    late_seconds = strategy.quality.late_tick_seconds
    bars_needed = strategy.history.bars_for_flags
    return Suite(
        "rows",
        with_literals(
            _WINDOW,
            cycle=window.cycle,
            as_of=window.as_of,
            stale_before=window.stale_before,
            future=window.future,
            bars_needed=bars_needed,
            outage_bars=strategy.quality.outage_bars,
        ),
        _SHOWN,
        (
            Check("stale_ticks", Severity.BLOCK_ENTRIES, not_below("stale_after", "age")),
            Check("short_history", Severity.BLOCK_ENTRIES, between("bars", bars_needed, None)),
            Check("recent_outage", Severity.BLOCK_ENTRIES, between("damaged_bars", 0, 0)),
            Check("recent_outage", Severity.BLOCK_ENTRIES, null("lost_minute")),
            Check("late_ticks", Severity.WARN, with_literals(_LATE, cycle=window.cycle, late_seconds=late_seconds)),
            Check("replaced_by_candle", Severity.WARN, with_literals(_REPLACED, cycle=window.cycle)),
        ),
    )
