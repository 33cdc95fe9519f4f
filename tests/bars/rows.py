"""Inserts ticks and candles as the sidecar does, and reads the stored bars and gaps."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from strandline.model.timeframe import Timeframe

MINUTE = timedelta(minutes=1)
MARK_DIRTY = text("INSERT INTO dirty_minutes VALUES (:instrument_id, date_trunc('minute', CAST(:ts AS timestamptz)))")


class Tick(NamedTuple):
    """A row of ticks."""

    instrument_id: int
    ts: datetime
    trade_id: int
    price: float = 100.0
    size: float | None = 1.0
    side: str | None = "b"
    kind: str = "t"
    source: str = "s"


class Candle(NamedTuple):
    """The venue's closed candle of one minute."""

    instrument_id: int
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None


class Bar(NamedTuple):
    """The values of a bar, without its history."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None
    quote_volume: float | None
    vwap: float | None
    ticks: int
    source: str
    gap_magnitude_pct: float = 0.0
    gap_type: str | None = None


Key = tuple[int, Timeframe, datetime]


def add_instruments(connection: Connection, count: int) -> list[int]:
    """Insert new instruments; returns their ids."""
    return list(
        connection.scalars(
            text("""
                INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
                SELECT 'hyperliquid', 'perps', 'C' || (SELECT count(*) FROM instruments) + n, 'C', 1, 1
                FROM generate_series(1, :count) AS n RETURNING instrument_id
            """),
            {"count": count},
        )
    )


def add_ticks(connection: Connection, ticks: Iterable[Tick]) -> None:
    """Insert ticks and their dirty minutes."""
    rows = list(ticks)
    if rows:
        connection.execute(
            text("""
                WITH arrived AS (
                  INSERT INTO ticks (instrument_id, ts, trade_id, price, size, side, kind, source)
                  SELECT * FROM unnest(
                    CAST(:instrument_id AS integer[]), CAST(:ts AS timestamptz[]), CAST(:trade_id AS bigint[]),
                    CAST(:price AS double precision[]), CAST(:size AS double precision[]), CAST(:side AS "char"[]),
                    CAST(:kind AS "char"[]), CAST(:source AS "char"[]))
                  RETURNING instrument_id, ts
                )
                INSERT INTO dirty_minutes SELECT instrument_id, date_trunc('minute', ts) FROM arrived
            """),
            _columns(rows),
        )


def add_candles(connection: Connection, candles: Iterable[Candle]) -> None:
    """Insert candles and their dirty minutes."""
    rows = list(candles)
    if rows:
        connection.execute(
            text("""
                WITH arrived AS (
                  INSERT INTO venue_candles
                    (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
                  SELECT instrument_id, '1m', ts, open, high, low, close, volume, trades, ts FROM unnest(
                    CAST(:instrument_id AS integer[]), CAST(:ts AS timestamptz[]), CAST(:open AS double precision[]),
                    CAST(:high AS double precision[]), CAST(:low AS double precision[]),
                    CAST(:close AS double precision[]), CAST(:volume AS double precision[]),
                    CAST(:trades AS integer[])
                  ) AS candle (instrument_id, ts, open, high, low, close, volume, trades)
                  RETURNING instrument_id, ts
                )
                INSERT INTO dirty_minutes SELECT instrument_id, ts FROM arrived
            """),
            _columns(rows),
        )


def stored_bars(connection: Connection, instruments: Sequence[int]) -> dict[Key, Bar]:
    """The newest revision of each bar."""
    rows = connection.execute(
        text("""
            SELECT instrument_id, timeframe, ts, open, high, low, close, volume, quote_volume, vwap, ticks, source,
                   gap_magnitude_pct, gap_type
            FROM bars WHERE instrument_id = ANY (:instruments)
        """),
        {"instruments": list(instruments)},
    )
    return {(row[0], Timeframe(row[1]), row[2]): Bar(*row[3:]) for row in rows}


def stored_gaps(connection: Connection, instruments: Sequence[int]) -> set[tuple[Any, ...]]:
    """The gaps: instrument, timeframe, start, end and magnitude."""
    rows = connection.execute(
        text("""
            SELECT instrument_id, timeframe, starts_at, ends_at, magnitude_pct FROM gaps
            WHERE instrument_id = ANY (:instruments)
        """),
        {"instruments": list(instruments)},
    )
    return {(row[0], Timeframe(row[1]), *row[2:]) for row in rows}


def _columns(rows: Sequence[Tick] | Sequence[Candle]) -> dict[str, list[Any]]:
    return {name: [getattr(row, name) for row in rows] for name in rows[0]._fields}
