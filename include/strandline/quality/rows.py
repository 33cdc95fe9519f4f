"""The checks of rows: whether there is enough recent data for each that may be traded."""

from strandline.model.strategy import Strategy
from strandline.quality.severity import Severity
from strandline.quality.suite import FRAMES, Check, Suite, with_literals
from strandline.quality.window import Window

_WINDOW = """
    SELECT i.instrument_id, p.timeframe, CAST(:cycle AS timestamptz) - f.length AS newest_final, i.stale_after
    FROM positions p
    JOIN instruments i USING (token_chain, book_id, token_contract)
    JOIN (VALUES {frames}) AS f (timeframe, length) USING (timeframe)
    WHERE p.desired_status <> 'archived'
""".replace("{frames}", FRAMES)
_FRESH = """
    WITH newest AS (
      SELECT instrument_id, max(ts) AS ts FROM ticks WHERE ts >= :stale_before AND ts <= :future GROUP BY 1
    )
    SELECT DISTINCT r.instrument_id, NULL AS timeframe, newest.ts,
           EXTRACT(epoch FROM r.stale_after) AS stale_after_seconds
    FROM {batch} AS r LEFT JOIN newest USING (instrument_id)
    WHERE newest.ts IS NULL OR newest.ts < CAST(:as_of AS timestamptz) - r.stale_after
"""
_ENOUGH = """
    SELECT r.instrument_id, r.timeframe, CAST(NULL AS timestamptz) AS ts, history.bars, :bars_needed AS bars_needed
    FROM {batch} AS r CROSS JOIN LATERAL (
      SELECT count(*) AS bars FROM (
        SELECT FROM bars b
        WHERE b.instrument_id = r.instrument_id AND b.timeframe = r.timeframe AND b.ts <= r.newest_final
        ORDER BY b.ts DESC LIMIT :bars_needed
      ) AS newest
    ) AS history
    WHERE history.bars < :bars_needed
"""
_OUTAGE = """
    SELECT r.instrument_id, r.timeframe, max(newest.ts) AS ts, count(*) AS bars, sum(newest.dropped) AS dropped
    FROM {batch} AS r CROSS JOIN LATERAL (
      SELECT b.ts, b.outage, b.dropped, b.repaired FROM bars b
      WHERE b.instrument_id = r.instrument_id AND b.timeframe = r.timeframe AND b.ts <= r.newest_final
      ORDER BY b.ts DESC LIMIT :outage_bars
    ) AS newest
    WHERE (newest.outage OR newest.dropped > 0) AND NOT newest.repaired
    GROUP BY 1, 2
"""


def rows_suite(window: Window, strategy: Strategy) -> Suite:
    """The checks of every row that is not archived."""
    fresh = with_literals(_FRESH, stale_before=window.stale_before, future=window.future, as_of=window.as_of)
    return Suite(
        "rows",
        with_literals(_WINDOW, cycle=window.cycle),
        (
            Check("stale_ticks", Severity.BLOCK_ENTRIES, fresh),
            Check(
                "short_history",
                Severity.BLOCK_ENTRIES,
                with_literals(_ENOUGH, bars_needed=strategy.history.bars_for_flags),
            ),
            Check(
                "recent_outage",
                Severity.BLOCK_ENTRIES,
                with_literals(_OUTAGE, outage_bars=strategy.quality.outage_bars),
            ),
        ),
    )
