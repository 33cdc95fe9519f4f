"""Loads the venue's own candles for the time before we received its trades."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.history import Candle, History

ENOUGH_BARS: Final = 666
"""An instrument with fewer bars may not be bought."""


class SeriesKey(NamedTuple):
    """An instrument's bars of one length."""

    instrument_id: int
    timeframe: Timeframe


async def find_short_series(connection: Connection, instruments: Collection[int]) -> list[SeriesKey]:
    """Find the series of which too few bars are stored: those of the instruments' rows, and their minutes.

    A series with a candle of the venue has been loaded: there may be no more.
    """
    rows = await connection.fetch(
        """
        SELECT needed.instrument_id, needed.timeframe
        FROM (
          SELECT unnest($1::integer[]) AS instrument_id, '1m'::timeframe AS timeframe
          UNION
          SELECT i.instrument_id, p.timeframe
          FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
          WHERE p.desired_status <> 'archived' AND i.instrument_id = ANY ($1)
        ) AS needed
        WHERE NOT EXISTS (SELECT FROM venue_candles c
                          WHERE (c.instrument_id, c.timeframe) = (needed.instrument_id, needed.timeframe))
          AND (SELECT count(*) FROM bars b
               WHERE (b.instrument_id, b.timeframe) = (needed.instrument_id, needed.timeframe)) < $2
        ORDER BY needed.instrument_id, needed.timeframe
        """,
        list(instruments),
        ENOUGH_BARS,
    )
    return [SeriesKey(row["instrument_id"], Timeframe(row["timeframe"])) for row in rows]


async def load_candles(
    connection: Connection,
    history: History,
    token: str,
    series: SeriesKey,
    since: datetime,
    as_of: datetime,
) -> int:
    """Fetch and store the final candles from `since` on, and mark their minutes for the rollup; returns how many.

    Repeating it changes nothing.
    """
    candles = await history.candles(token, series.timeframe, since, as_of)
    if candles:
        await _store(connection, series, candles, as_of)
    return len(candles)


async def _store(connection: Connection, series: SeriesKey, candles: Sequence[Candle], fetched_at: datetime) -> None:
    async with connection.transaction():
        await connection.execute(
            """
            CREATE TEMP TABLE staged_candles (
              ts timestamptz, open double precision, high double precision, low double precision,
              close double precision, volume double precision, trades integer
            ) ON COMMIT DROP
            """
        )
        await connection.copy_records_to_table("staged_candles", records=candles)
        await connection.execute(
            """
            WITH changed AS (
              INSERT INTO venue_candles AS old
                (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
              SELECT $1, $2::timeframe, ts, open, high, low, close, volume, trades, $3 FROM staged_candles
              ON CONFLICT (instrument_id, timeframe, ts) DO UPDATE SET
                open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                volume = excluded.volume, trades = excluded.trades, fetched_at = excluded.fetched_at
              WHERE (old.open, old.high, old.low, old.close, old.volume, old.trades) IS DISTINCT FROM
                (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.trades)
              RETURNING ts
            )
            INSERT INTO dirty_minutes SELECT $1, ts + $4 - interval '1 minute' FROM changed
            """,
            series.instrument_id,
            str(series.timeframe),
            fetched_at,
            series.timeframe.length,
        )
