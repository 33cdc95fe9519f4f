"""The checks of bars."""

from datetime import datetime
from typing import Final

from strandline.model.strategy import Strategy
from strandline.quality.severity import Severity
from strandline.quality.suite import FRAMES, HISTORY, LARGEST, Check, Suite, between, not_below, with_literals
from strandline.quality.window import Window

# Besides the cycle's own bars the window has all that the engine has not stepped yet, so that a faulty bar is found
# again in every cycle that could still step it.
_WINDOW = """
    SELECT b.instrument_id, CAST(b.timeframe AS text) AS timeframe, b.ts, b.revision, b.open, b.high, b.low, b.close,
           b.volume, b.quote_volume, b.ts + f.length AS ends_at, date_bin(f.length, b.ts, 'epoch') AS starts_at,
           LEAST(b.open, b.close) AS lower_end, GREATEST(b.open, b.close) AS upper_end
    FROM instruments i
    CROSS JOIN (VALUES {frames}) AS f (timeframe, length)
    LEFT JOIN engine_states e ON e.instrument_id = i.instrument_id AND e.timeframe = f.timeframe AND e.adopted
    CROSS JOIN LATERAL (
      SELECT instrument_id, timeframe, ts, revision, open, high, low, close, volume, quote_volume FROM bars
      WHERE bars.instrument_id = i.instrument_id AND bars.timeframe = f.timeframe
        AND bars.ts > LEAST(CAST(:bars_after AS timestamptz) - f.length, e.bar_ts)
        AND bars.ts <= CAST(:cycle AS timestamptz) - f.length
      OFFSET 0
    ) AS b
""".replace("{frames}", FRAMES)

# A day of history: all of its bars, whether the engine has stepped them or not.
_DAY = """
    SELECT b.instrument_id, CAST(b.timeframe AS text) AS timeframe, b.ts, b.revision, b.open, b.high, b.low, b.close,
           b.volume, b.quote_volume, b.ts + f.length AS ends_at, date_bin(f.length, b.ts, 'epoch') AS starts_at,
           LEAST(b.open, b.close) AS lower_end, GREATEST(b.open, b.close) AS upper_end
    FROM instruments i
    CROSS JOIN (VALUES {frames}) AS f (timeframe, length)
    CROSS JOIN LATERAL (
      SELECT instrument_id, timeframe, ts, revision, open, high, low, close, volume, quote_volume FROM bars
      WHERE bars.instrument_id = i.instrument_id AND bars.timeframe = f.timeframe
        AND bars.ts >= :starts_at AND bars.ts <= CAST(:ends_at AS timestamptz) - f.length
      OFFSET 0
    ) AS b
""".replace("{frames}", FRAMES)

# Looked up by key for each bar: a join might read all candles.
_VENUE = """
    LATERAL (
      SELECT v.open, v.high, v.low, v.close, v.volume FROM venue_candles v
      WHERE v.instrument_id = b.instrument_id AND v.timeframe = CAST(b.timeframe AS timeframe) AND v.ts = b.ts LIMIT 1
    ) AS c
"""
# The key of the table allows no second bar of the same start and no two newest revisions. What it does not see: a start
# that is none of the timeframe's, which makes two bars of one stretch, and a kept revision that is not an older one.
_TWICE = """
    SELECT b.instrument_id, b.timeframe, b.ts, b.revision, b.starts_at, kept.revision AS kept_revision
    FROM {batch} AS b LEFT JOIN LATERAL (
      SELECT r.revision FROM bar_revisions r
      WHERE r.instrument_id = b.instrument_id AND r.timeframe = CAST(b.timeframe AS timeframe) AND r.ts = b.ts
        AND r.revision >= b.revision LIMIT 1
    ) AS kept ON true
    WHERE kept.revision IS NOT NULL OR b.ts <> b.starts_at
"""
# A minute that was rebuilt from the venue's candle has nothing of its faulty ticks any more.
_BAD_TICKS = """
    WITH faulty AS (
      SELECT f.instrument_id, f.ts FROM quality_runs r JOIN quality_findings f USING (quality_run_id)
      WHERE r.suite = 'ticks' AND f.severity = 'block_all' AND r.cycle_t > (SELECT min(ts) FROM {batch})
        AND r.cycle_t <= :cycle
        AND NOT EXISTS (SELECT FROM bars m WHERE m.instrument_id = f.instrument_id AND m.timeframe = '1m'
                          AND m.ts = date_trunc('minute', f.ts) AND m.source = 'r')
    )
    SELECT b.instrument_id, b.timeframe, b.ts, b.revision, min(f.ts) AS minute
    FROM {batch} AS b JOIN faulty AS f ON f.instrument_id = b.instrument_id AND f.ts >= b.ts AND f.ts < b.ends_at
    GROUP BY 1, 2, 3, 4
"""
_JUMP = """
    SELECT b.instrument_id, b.timeframe, b.ts, b.revision, b.high, b.low, previous.price AS previous_close, atr.atr
    FROM {batch} AS b
    LEFT JOIN LATERAL (
      SELECT p.close FROM bars p
      WHERE p.instrument_id = b.instrument_id AND p.timeframe = CAST(b.timeframe AS timeframe) AND p.ts < b.ts
      ORDER BY p.ts DESC LIMIT 1
    ) AS before ON true
    CROSS JOIN LATERAL (SELECT COALESCE(before.close, b.open) AS price) AS previous
    LEFT JOIN LATERAL (
      SELECT CAST(s.uptrend_engine_v4 -> 'indicators' ->> 'atr' AS double precision) AS atr FROM features s
      WHERE s.instrument_id = b.instrument_id AND s.timeframe = CAST(b.timeframe AS timeframe) AND s.ts < b.ts
      ORDER BY s.ts DESC, s.generation DESC, s.restep DESC LIMIT 1
    ) AS atr ON true
    LEFT JOIN {venue} ON true
    CROSS JOIN LATERAL (SELECT GREATEST(b.high - previous.price, previous.price - b.low) AS far) AS move
    WHERE (move.far > :max_move_pct / 100 * previous.price OR (atr.atr > 0 AND move.far > :max_move_atr * atr.atr))
      AND NOT COALESCE(abs(b.high - c.high) <= :price_pct / 100 * c.high
                       AND abs(b.low - c.low) <= :price_pct / 100 * c.low, false)
""".replace("{venue}", _VENUE)
_CANDLE = """
    SELECT b.instrument_id, b.timeframe, b.ts, b.revision, b.open, b.high, b.low, b.close, b.volume,
           c.open AS venue_open, c.high AS venue_high, c.low AS venue_low, c.close AS venue_close,
           c.volume AS venue_volume
    FROM {batch} AS b CROSS JOIN {venue}
    WHERE abs(b.open - c.open) > :price_pct / 100 * c.open OR abs(b.high - c.high) > :price_pct / 100 * c.high
       OR abs(b.low - c.low) > :price_pct / 100 * c.low OR abs(b.close - c.close) > :price_pct / 100 * c.close
       OR abs(b.volume - c.volume) > :volume_pct / 100 * c.volume
""".replace("{venue}", _VENUE)


_SHOWN: Final = ("revision", "open", "high", "low", "close", "volume", "quote_volume")


def bars_suite(window: Window, strategy: Strategy) -> Suite:
    """The checks of all bars that ended in the window or that the engine has not stepped yet."""
    query = with_literals(_WINDOW, bars_after=window.bars_after, cycle=window.cycle)
    return _suite("bars", query, strategy, window.cycle)


def history_suite(starts_at: datetime, ends_at: datetime, strategy: Strategy, as_of: datetime) -> Suite:
    """The same checks of all bars within this time."""
    return _suite(HISTORY, with_literals(_DAY, starts_at=starts_at, ends_at=ends_at), strategy, as_of)


def _suite(name: str, query: str, strategy: Strategy, cycle: datetime) -> Suite:
    """The checks of the bars of this query; a bar is bad if its ticks were found to be bad until this cycle."""
    limits = strategy.quality
    price_pct, volume_pct = limits.candle_price_pct, limits.candle_volume_pct
    jump = with_literals(_JUMP, max_move_pct=limits.max_move_pct, max_move_atr=limits.max_move_atr, price_pct=price_pct)
    return Suite(
        name,
        query,
        _SHOWN,
        (
            Check("bad_bar_price", Severity.BLOCK_ALL, between("low", 0, LARGEST, above=True)),
            Check("bad_bar_price", Severity.BLOCK_ALL, between("high", 0, LARGEST, above=True)),
            Check("bar_out_of_order", Severity.BLOCK_ALL, not_below("lower_end", "low")),
            Check("bar_out_of_order", Severity.BLOCK_ALL, not_below("high", "upper_end")),
            Check("bad_bar_volume", Severity.BLOCK_ALL, between("volume", 0, LARGEST)),
            Check("bad_bar_volume", Severity.BLOCK_ALL, between("quote_volume", 0, LARGEST)),
            Check("duplicate_bar", Severity.BLOCK_ALL, _TWICE),
            Check("bad_ticks_inside", Severity.BLOCK_ALL, with_literals(_BAD_TICKS, cycle=cycle)),
            Check("unconfirmed_jump", Severity.BLOCK_ENTRIES, jump),
            Check(
                "unlike_venue_candle",
                Severity.BLOCK_ENTRIES,
                with_literals(_CANDLE, price_pct=price_pct, volume_pct=volume_pct),
            ),
        ),
    )
