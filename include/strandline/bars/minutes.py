"""Bars of one minute, from ticks or from the venue's candle."""

from datetime import datetime

from sqlalchemy import Connection, text

_TAKE = text("""
    WITH taken AS (
      DELETE FROM dirty_minutes WHERE minute <= :until - interval '1 minute' RETURNING instrument_id, minute)
    INSERT INTO staged_minutes SELECT DISTINCT instrument_id, minute FROM taken
""")
_BOUNDS = text("SELECT min(minute) AS first, max(minute) + interval '1 minute' AS last FROM staged_minutes")

# A minute is made of its best source alone: 1 trades as they happened, 2 archived trades, 3 the venue's candle,
# 4 polled prices. A candle of more trades than were heard comes before all: we listened for a part of that minute only.
# Each minute reads its own stretch of the ticks once, for all of its instruments; the outer bounds keep the partitions
# of other days out of the plan. A product that does not fit a double is nonsense: it becomes NaN, which the quality
# gate finds, and not an error, which would stop the rollup for everybody.
_STAGE = text("""
    INSERT INTO staged_bars
    WITH together AS (
      SELECT minute, array_agg(instrument_id) AS instruments FROM staged_minutes GROUP BY minute
    ), from_ticks AS (
      SELECT made.instrument_id, together.minute, made.best, prices[1] AS open, high, low, prices[ticks] AS close,
             volume, quote_volume, quote_volume / NULLIF(volume, 0) AS vwap, ticks, made.source
      FROM together CROSS JOIN LATERAL (
        SELECT instrument_id, best, array_agg(price ORDER BY ts, trade_id) AS prices, max(price) AS high,
               min(price) AS low, sum(size ORDER BY ts, trade_id) AS volume,
               sum(worth ORDER BY ts, trade_id) AS quote_volume, count(*)::integer AS ticks,
               CASE WHEN bool_or(source = 's') THEN 's'::"char" ELSE min(source::text)::"char" END AS source
        FROM (
          SELECT *, min(rank) OVER (PARTITION BY instrument_id) AS best
          FROM (
            SELECT t.instrument_id, t.ts, t.trade_id, t.price, t.source,
                   CASE WHEN t.size > 1e100 THEN 'NaN' ELSE t.size END AS size,
                   CASE WHEN t.size = 0 THEN 0
                        WHEN t.size > 1e100 OR abs(t.price) > 1e100 OR abs(t.price) < 1e-100 OR t.size < 1e-100
                        THEN 'NaN' ELSE t.price * t.size END AS worth,
                   CASE WHEN t.kind = 'p' THEN 4 WHEN t.source = 'a' THEN 2 ELSE 1 END AS rank
            FROM ticks t
            WHERE t.ts >= together.minute AND t.ts < together.minute + interval '1 minute'
              AND t.ts >= :first AND t.ts < :last AND t.instrument_id = ANY (together.instruments)
          ) AS ranked
        ) AS judged
        WHERE rank = best
        GROUP BY instrument_id, best
      ) AS made
    ), from_candles AS (
      SELECT m.instrument_id, m.minute, 3, c.open, c.high, c.low, c.close, c.volume, NULL::double precision,
             NULL::double precision, COALESCE(c.trades, 0), 'r'::"char"
      FROM staged_minutes m CROSS JOIN LATERAL (
        SELECT * FROM venue_candles v
        WHERE v.instrument_id = m.instrument_id AND v.timeframe = '1m' AND v.ts = m.minute AND v.volume > 0 LIMIT 1
      ) AS c
    )
    SELECT DISTINCT ON (made.instrument_id, made.minute)
           made.instrument_id, '1m'::timeframe, made.minute, made.open, made.high, made.low, made.close, made.volume,
           made.quote_volume, made.vwap, made.ticks, made.source,
           COALESCE(b.outage, false), COALESCE(b.dropped, 0), COALESCE(b.repaired, false)
    FROM (
      SELECT *, best = 3 AND ticks > max(ticks) FILTER (WHERE best < 3) OVER minute AS heard_in_part
      FROM (SELECT * FROM from_ticks UNION ALL SELECT * FROM from_candles) AS sources
      WINDOW minute AS (PARTITION BY instrument_id, minute)
    ) AS made
    LEFT JOIN LATERAL (
      SELECT outage, dropped, repaired FROM bars
      WHERE bars.instrument_id = made.instrument_id AND timeframe = '1m' AND ts = made.minute LIMIT 1
    ) AS b ON true
    ORDER BY made.instrument_id, made.minute, made.heard_in_part IS TRUE DESC, made.best
""")


def take_touched(connection: Connection, until: datetime) -> int:
    """Take the dirty minutes that are over at `until`; how many there were, each counted once."""
    return int(connection.execute(_TAKE, {"until": until}).rowcount)


def stage(connection: Connection) -> None:
    """Build the bars of the minutes that were taken. A minute without a trade, candle or price has none."""
    bounds = connection.execute(_BOUNDS).one()
    if bounds.first is not None:
        connection.execute(_STAGE, {"first": bounds.first, "last": bounds.last})
