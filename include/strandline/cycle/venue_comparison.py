"""Compares our minutes with the venue's candles, once these are loaded and the bars are built."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Engine, text

from strandline.model.strategy import Strategy

_DIFFERS: Final = """(
        abs({bar}.open - c.open) > :price_pct / 100 * c.open OR abs({bar}.high - c.high) > :price_pct / 100 * c.high
        OR abs({bar}.low - c.low) > :price_pct / 100 * c.low OR abs({bar}.close - c.close) > :price_pct / 100 * c.close
        OR abs({bar}.volume - c.volume) > :volume_pct / 100 * c.volume)"""
# A bar is repaired if it is a revision of this load, and the one that it replaces was unlike the candle.
_COMPARE: Final = """
    WITH compared AS (
      SELECT i.symbol, b.ts, c.ts IS NOT NULL AS known, COALESCE({b_differs}, false) AS differs,
             b.known_seq > :known_seq AND COALESCE({old_differs}, false) AS differed
      FROM bars b JOIN instruments i USING (instrument_id)
      LEFT JOIN venue_candles c
        ON c.instrument_id = b.instrument_id AND c.timeframe = b.timeframe AND c.ts = b.ts AND c.volume > 0
      LEFT JOIN bar_revisions old
        ON old.instrument_id = b.instrument_id AND old.timeframe = b.timeframe AND old.ts = b.ts
       AND old.revision = b.revision - 1
      WHERE b.instrument_id = ANY (:instruments) AND b.timeframe = '1m' AND b.ts >= :starts_at AND b.ts < :ends_at
    )
    SELECT count(*) FILTER (WHERE known) AS compared, count(*) FILTER (WHERE differs) AS differing,
           count(*) FILTER (WHERE differed AND NOT differs) AS repaired,
           count(*) FILTER (WHERE NOT known) AS only_ours,
           COALESCE((array_agg(symbol || ' ' || to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')
                               ORDER BY ts, symbol) FILTER (WHERE differs))[1:5], '{}') AS examples
    FROM compared
""".replace("{b_differs}", _DIFFERS.format(bar="b")).replace("{old_differs}", _DIFFERS.format(bar="old"))


class Comparison(NamedTuple):
    """Minutes of which both we and the venue have a bar, those that differ, that were repaired, and that only we have.

    Differences are those that the quality gate blocks for.
    """

    compared: int
    differing: int
    repaired: int
    only_ours: int
    examples: list[str]


def compare_with_venue(
    database: Engine,
    strategy: Strategy,
    instruments: Collection[int],
    span: tuple[datetime, datetime],
    known_seq: int,
) -> Comparison:
    """Compare the minutes of this time; what was revised after `known_seq` may have been repaired."""
    with database.connect() as connection:
        row = connection.execute(
            text(_COMPARE),
            {
                "instruments": list(instruments),
                "starts_at": span[0],
                "ends_at": span[1],
                "known_seq": known_seq,
                "price_pct": strategy.quality.candle_price_pct,
                "volume_pct": strategy.quality.candle_volume_pct,
            },
        ).one()
    return Comparison(*row)
