"""Builds bars of one minute from ticks or from the venue's candle."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from strandline.model.candle_tolerance import PRICE_TOLERANCE, VOLUME_TOLERANCE

SLICE_ROWS: Final = 50_000
"""How many marks one transaction works off, about: some seconds' work."""

# The end of the slice is a boundary of days or hours where one lies within it, so that the bars of a day or an hour
# are built once and not once a slice.
_SLICE_END = text("""
    SELECT COALESCE(min(boundary) FILTER (WHERE boundary > oldest), cut + interval '1 minute')
    FROM (SELECT minute AS cut, (SELECT min(minute) FROM dirty_minutes) AS oldest FROM dirty_minutes
          WHERE minute <= :until - interval '1 minute' ORDER BY minute OFFSET :rows LIMIT 1) AS slice,
         unnest(ARRAY[date_trunc('day', cut, 'UTC'), date_trunc('hour', cut, 'UTC')]) AS boundary
    GROUP BY cut, oldest
""")
_TAKE = text("""
    WITH taken AS (
      DELETE FROM dirty_minutes WHERE minute <= :until - interval '1 minute' RETURNING instrument_id, minute)
    INSERT INTO staged_minutes SELECT DISTINCT instrument_id, minute FROM taken
""")
_BOUNDS = text("SELECT min(minute) AS first, max(minute) + interval '1 minute' AS last FROM staged_minutes")

# A minute is built from one source alone: 1 trades with the venue's ids, streamed or archived, 2 archived trades with
# derived ids, which are below zero, 3 the venue's candle, 4 polled prices. A source with a tick that fails its checks
# comes after all others, and then trades that are not the venue's: it has more of them, so that we received a part of
# that minute only, or as many and another price or volume. If it has fewer, its candle was not complete yet. Where no
# candle tells how many there were, an archive that has more than the stream does: old outages are not in any candle.
# What was missed in it is repaired if its candles were loaded; that there is one proves the minute as well.
# Each minute reads its own stretch of the ticks once, for all of its instruments; the outer bounds keep the partitions
# of other days out of the plan. A product that does not fit a double becomes NaN, which the quality gate finds, and
# not an error, which would stop the rollup of all instruments.
_STAGE = text("""
    INSERT INTO staged_bars
    WITH missed AS MATERIALIZED (
      SELECT instrument_id, starts_at, ends_at, 0 AS dropped, repaired_at FROM outages
      WHERE ends_at > :first AND starts_at < :last
      UNION ALL
      SELECT instrument_id, minute, minute + interval '1 minute', dropped, repaired_at FROM dropped_ticks
      WHERE minute >= :first AND minute < :last
    ), grouped AS (
      SELECT minute, array_agg(instrument_id) AS instruments FROM staged_minutes GROUP BY minute
    ), from_ticks AS (
      SELECT built.instrument_id, grouped.minute, built.rank, prices[1] AS open, high, low, prices[ticks] AS close,
             volume, quote_volume, quote_volume / NULLIF(volume, 0) AS vwap, ticks, built.source, built.faulty
      FROM grouped CROSS JOIN LATERAL (
        SELECT instrument_id, rank, array_agg(price ORDER BY ts, trade_id) AS prices, max(price) AS high,
               min(price) AS low, sum(size ORDER BY ts, trade_id) AS volume,
               sum(quote_value ORDER BY ts, trade_id) AS quote_volume, count(*)::integer AS ticks,
               CASE WHEN bool_or(source = 's') THEN 's'::"char" ELSE min(source::text)::"char" END AS source,
               bool_or(faulty) AS faulty
        FROM (
          SELECT t.instrument_id, t.ts, t.trade_id, t.price, t.source,
                 CASE WHEN t.size > 1e100 THEN 'NaN' ELSE t.size END AS size,
                 CASE WHEN t.size = 0 THEN 0
                      WHEN t.size > 1e100 OR abs(t.price) > 1e100 OR abs(t.price) < 1e-100 OR t.size < 1e-100
                      THEN 'NaN' ELSE t.price * t.size END AS quote_value,
                 CASE WHEN t.kind = 'p' THEN 4 WHEN t.trade_id < 0 THEN 2 ELSE 1 END AS rank,
                 NOT (t.price > 0 AND t.price < 'Infinity'
                      AND (t.kind = 'p' OR COALESCE(t.size > 0 AND t.size < 'Infinity' AND t.side IS NOT NULL, false))
                     ) AS faulty
          FROM ticks t
          WHERE t.ts >= grouped.minute AND t.ts < grouped.minute + interval '1 minute'
            AND t.ts >= :first AND t.ts < :last AND t.instrument_id = ANY (grouped.instruments)
        ) AS ranked
        GROUP BY instrument_id, rank
      ) AS built
    ), from_candles AS (
      SELECT m.instrument_id, m.minute, 3, c.open, c.high, c.low, c.close, c.volume, NULL::double precision,
             NULL::double precision, COALESCE(c.trades, 0), 'r'::"char", false
      FROM staged_minutes m CROSS JOIN LATERAL (
        SELECT * FROM venue_candles v
        WHERE v.instrument_id = m.instrument_id AND v.timeframe = '1m' AND v.ts = m.minute AND v.volume > 0 LIMIT 1
      ) AS c
    )
    SELECT DISTINCT ON (built.instrument_id, built.minute)
           built.instrument_id, '1m'::timeframe, built.minute, built.open, built.high, built.low, built.close,
           built.volume, built.quote_volume, built.vwap, built.ticks, built.source,
           COALESCE(missed.outage, false), COALESCE(missed.dropped, 0),
           COALESCE(missed.repaired OR (missed.outage IS NOT NULL AND built.has_candle), false)
    FROM (
      SELECT *, venue_trades IS NOT NULL AS has_candle,
             rank < 3 AND (ticks < venue_trades OR ticks = venue_trades AND (
               abs(open - venue_open) > :price_tolerance * venue_open
               OR abs(high - venue_high) > :price_tolerance * venue_high
               OR abs(low - venue_low) > :price_tolerance * venue_low
               OR abs(close - venue_close) > :price_tolerance * venue_close
               OR abs(volume - venue_volume) > :volume_tolerance * venue_volume
             )) OR rank = 1 AND ticks < archived_trades AND COALESCE(venue_trades, 0) = 0 AS unlike_venue
      FROM (
        SELECT *, max(ticks) FILTER (WHERE rank = 3) OVER minute AS venue_trades,
               max(ticks) FILTER (WHERE rank = 2) OVER minute AS archived_trades,
               max(open) FILTER (WHERE rank = 3) OVER minute AS venue_open,
               max(high) FILTER (WHERE rank = 3) OVER minute AS venue_high,
               max(low) FILTER (WHERE rank = 3) OVER minute AS venue_low,
               max(close) FILTER (WHERE rank = 3) OVER minute AS venue_close,
               max(volume) FILTER (WHERE rank = 3) OVER minute AS venue_volume
        FROM (SELECT * FROM from_ticks UNION ALL SELECT * FROM from_candles) AS sources
        WINDOW minute AS (PARTITION BY instrument_id, minute)
      ) AS beside_venue
    ) AS built
    LEFT JOIN LATERAL (
      SELECT bool_or(dropped = 0) AS outage, sum(dropped)::integer AS dropped,
             bool_and(repaired_at IS NOT NULL) AS repaired
      FROM missed m
      WHERE m.instrument_id = built.instrument_id AND m.starts_at <= built.minute AND m.ends_at > built.minute
      HAVING count(*) > 0
    ) AS missed ON true
    ORDER BY built.instrument_id, built.minute, built.faulty, built.unlike_venue IS TRUE, built.rank
""")


def end_of_slice(connection: Connection, until: datetime) -> datetime:
    """Return where the oldest dirty minutes that one transaction should work off end: at `until` if they are few."""
    cut: datetime | None = connection.execute(_SLICE_END, {"until": until, "rows": SLICE_ROWS}).scalar_one_or_none()
    return until if cut is None else cut


def take_dirty_minutes(connection: Connection, until: datetime) -> int:
    """Take the dirty minutes that are over at `until`; returns how many different ones there were."""
    return int(connection.execute(_TAKE, {"until": until}).rowcount)


def stage(connection: Connection) -> None:
    """Stage the bars of the minutes that were taken. A minute without a trade, candle or price has none."""
    bounds = connection.execute(_BOUNDS).one()
    if bounds.first is not None:
        tolerances = {"price_tolerance": PRICE_TOLERANCE, "volume_tolerance": VOLUME_TOLERANCE}
        connection.execute(_STAGE, {"first": bounds.first, "last": bounds.last, **tolerances})
