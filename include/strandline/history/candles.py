"""Loads the venue's own candles for the time before we received its trades."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.history import Candle, History

ENOUGH_BARS: Final = 666
"""An instrument with fewer bars may not be bought."""


async def without_history(connection: Connection, instruments: Mapping[str, int]) -> dict[str, int]:
    """The instruments that have neither candles of one minute nor enough bars."""
    lacking = await connection.fetch(
        """
        SELECT i.instrument_id FROM unnest($1::integer[]) AS i(instrument_id)
        WHERE NOT EXISTS (SELECT FROM venue_candles c WHERE (c.instrument_id, c.timeframe) = (i.instrument_id, '1m'))
          AND (SELECT count(*) FROM bars b WHERE (b.instrument_id, b.timeframe) = (i.instrument_id, '1m')) < $2
        """,
        list(instruments.values()),
        ENOUGH_BARS,
    )
    missing = {row["instrument_id"] for row in lacking}
    return {token: number for token, number in instruments.items() if number in missing}


async def load_candles(
    connection: Connection, history: History, token: str, instrument_id: int, since: datetime, as_of: datetime
) -> int:
    """Fetch and store the final candles from `since` on, and mark their minutes for the rollup; returns how many.

    Repeating it changes nothing.
    """
    candles = await history.candles(token, Timeframe.M1, since, as_of)
    if candles:
        await _store(connection, instrument_id, candles, as_of)
    return len(candles)


async def _store(connection: Connection, instrument_id: int, candles: Sequence[Candle], fetched_at: datetime) -> None:
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
              SELECT $1, '1m', ts, open, high, low, close, volume, trades, $2 FROM staged_candles
              ON CONFLICT (instrument_id, timeframe, ts) DO UPDATE SET
                open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                volume = excluded.volume, trades = excluded.trades, fetched_at = excluded.fetched_at
              WHERE (old.open, old.high, old.low, old.close, old.volume, old.trades) IS DISTINCT FROM
                (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.trades)
              RETURNING ts
            )
            INSERT INTO dirty_minutes SELECT $1, ts FROM changed
            """,
            instrument_id,
            fetched_at,
        )
