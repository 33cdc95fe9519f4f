"""Loads the venue's own candles for the time before we received its trades."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from strandline.history.units import Loaded
from strandline.model.regime import MACRO, MESO
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.history import History

ENOUGH_BARS: Final = 666
"""An instrument with fewer bars may not be bought."""

CANDLE_DELAY: Final = timedelta(seconds=5)
"""The venue's newest candle may still change for so long after its end."""

SERVED: Final = timedelta(minutes=4_990)
"""How far back a venue serves candles of one minute, less the time that a request may take."""

CandleRow: TypeAlias = tuple[int, datetime, float, float, float, float, float, int | None]
"""The instrument, and the fields of its candle."""


class SeriesKey(NamedTuple):
    """An instrument's bars of one length."""

    instrument_id: int
    timeframe: Timeframe


async def find_short_series(
    connection: Connection, instruments: Collection[int], regime: Collection[int] = ()
) -> list[SeriesKey]:
    """Find the series of which too few bars are stored: those of the instruments' rows, and their minutes.

    The instruments of `regime` need hours and days besides. A series with a candle of the venue has been loaded: there
    may be no more.
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
          UNION
          SELECT instrument_id, timeframe::timeframe
          FROM unnest($3::integer[]) AS instrument_id, unnest($4::text[]) AS timeframe
        ) AS needed
        WHERE NOT EXISTS (SELECT FROM venue_candles c
                          WHERE (c.instrument_id, c.timeframe) = (needed.instrument_id, needed.timeframe))
          AND (SELECT count(*) FROM bars b
               WHERE (b.instrument_id, b.timeframe) = (needed.instrument_id, needed.timeframe)) < $2
        ORDER BY needed.instrument_id, needed.timeframe
        """,
        list(instruments),
        ENOUGH_BARS,
        list(regime),
        [MESO.value, MACRO.value],
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
        rows = [(series.instrument_id, *candle) for candle in candles]
        await store_candles(connection, series.timeframe, rows, as_of, replace=True)
    return len(candles)


async def store_candles(
    connection: Connection, timeframe: Timeframe, rows: Sequence[CandleRow], fetched_at: datetime, *, replace: bool
) -> Mapping[int, Loaded]:
    """Store them and mark the minutes that changed; returns counts by instrument.

    One that is stored with other numbers is replaced, or else refused.
    """
    async with connection.transaction():
        await connection.execute(
            """
            CREATE TEMP TABLE staged_candles (
              instrument_id integer, ts timestamptz, open double precision, high double precision,
              low double precision, close double precision, volume double precision, trades integer
            ) ON COMMIT DROP
            """
        )
        await connection.copy_records_to_table("staged_candles", records=rows)
        counted = await connection.fetch(
            """
            WITH once AS (
              SELECT DISTINCT ON (instrument_id, ts) * FROM staged_candles
              ORDER BY instrument_id, ts, open, high, low, close, volume, trades
            ), differing AS (
              SELECT once.instrument_id, once.ts FROM once JOIN venue_candles old USING (instrument_id, ts)
              WHERE old.timeframe = $1::timeframe
                AND (old.open, old.high, old.low, old.close, old.volume, old.trades) IS DISTINCT FROM
                  (once.open, once.high, once.low, once.close, once.volume, once.trades)
            ), written AS (
              INSERT INTO venue_candles AS old
                (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
              SELECT instrument_id, $1::timeframe, ts, open, high, low, close, volume, trades, $3 FROM once
              ON CONFLICT (instrument_id, timeframe, ts) DO UPDATE SET
                open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                volume = excluded.volume, trades = excluded.trades, fetched_at = excluded.fetched_at
              WHERE $4 AND (old.open, old.high, old.low, old.close, old.volume, old.trades) IS DISTINCT FROM
                (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.trades)
              RETURNING instrument_id, ts
            ), marked AS (
              INSERT INTO dirty_minutes SELECT instrument_id, ts + $2 - interval '1 minute' FROM written
            )
            SELECT instrument_id, count(*)::integer AS found, count(w)::integer AS written,
                   count(d)::integer AS differing
            FROM once LEFT JOIN written w USING (instrument_id, ts) LEFT JOIN differing d USING (instrument_id, ts)
            GROUP BY instrument_id
            """,
            timeframe.value,
            timeframe.length,
            fetched_at,
            replace,
        )
    return {row["instrument_id"]: _counts(row, replace=replace) for row in counted}


def _counts(row: Mapping[str, int], *, replace: bool) -> Loaded:
    differing = row["differing"]
    if replace:
        return Loaded(row["found"], row["written"] - differing, differing)
    refused = Counter({"another candle is stored": differing} if differing else {})
    return Loaded(row["found"] - differing, row["written"], 0, refused)
