"""What the sidecar would have written, and the bars that a plain reading of the design makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from strandline.model.timeframe import Timeframe

MINUTE = timedelta(minutes=1)
TOUCH = text("INSERT INTO dirty_minutes VALUES (:instrument_id, date_trunc('minute', CAST(:ts AS timestamptz)))")


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
    """A closed candle of one minute, as the venue tells it."""

    instrument_id: int
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None


class Bar(NamedTuple):
    """What a bar says, without what is known about how it came to be."""

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
    """New instruments of nobody else's."""
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
    """Ticks and the minutes that they touch, in this transaction."""
    told = [tick._asdict() for tick in ticks]
    if told:
        connection.execute(
            text("""
                INSERT INTO ticks (instrument_id, ts, trade_id, price, size, side, kind, source)
                VALUES (:instrument_id, :ts, :trade_id, :price, :size, :side, :kind, :source)
            """),
            told,
        )
        connection.execute(TOUCH, told)


def add_candles(connection: Connection, candles: Iterable[Candle]) -> None:
    """Candles and the minutes that they touch, in this transaction."""
    told = [candle._asdict() for candle in candles]
    if told:
        connection.execute(
            text("""
                INSERT INTO venue_candles
                  (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
                VALUES (:instrument_id, '1m', :ts, :open, :high, :low, :close, :volume, :trades, :ts)
            """),
            told,
        )
        connection.execute(TOUCH, told)


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
    """Instrument, timeframe, start, end, magnitude of each."""
    rows = connection.execute(
        text("""
            SELECT instrument_id, timeframe, starts_at, ends_at, magnitude_pct FROM gaps
            WHERE instrument_id = ANY (:instruments)
        """),
        {"instruments": list(instruments)},
    )
    return {(row[0], Timeframe(row[1]), *row[2:]) for row in rows}


def expected_bars(ticks: Iterable[Tick], candles: Iterable[Candle], until: datetime) -> dict[Key, Bar]:
    """Every bar that is final at `until`, by the words of the design and without SQL."""
    bars = {key: bar for key, bar in expected_minutes(ticks, candles).items() if key[2] + MINUTE <= until}
    minutes = sorted(bars.items(), key=lambda item: (item[0][0], item[0][2]))
    for timeframe in list(Timeframe)[1:]:
        parts: dict[Key, list[Bar]] = {}
        for (instrument_id, _, start), bar in minutes:
            parts.setdefault((instrument_id, timeframe, timeframe.start_of(start)), []).append(bar)
        bars |= {key: whole(part) for key, part in parts.items() if key[2] + timeframe.length <= until}
    return chained(bars)


def expected_minutes(ticks: Iterable[Tick], candles: Iterable[Candle]) -> dict[Key, Bar]:
    """Each minute from the best source that it has."""
    ranked: dict[Key, dict[int, list[Tick]]] = {}
    for tick in ticks:
        key = (tick.instrument_id, Timeframe.M1, Timeframe.M1.start_of(tick.ts))
        rank = 4 if tick.kind == "p" else 2 if tick.source == "a" else 1
        ranked.setdefault(key, {}).setdefault(rank, []).append(tick)
    bars = {key: from_ticks(by_rank[min(by_rank)]) for key, by_rank in ranked.items()}
    for candle in candles:
        key = (candle.instrument_id, Timeframe.M1, candle.ts)
        by_rank = ranked.get(key, {4: []})
        heard = len(by_rank[min(by_rank)]) if min(by_rank) < 3 else 0
        if candle.volume > 0 and (min(by_rank) > 3 or (candle.trades or 0) > heard):
            bars[key] = Bar(*candle[2:6], candle.volume, None, None, candle.trades or 0, "r")
    return bars


def from_ticks(ticks: Iterable[Tick]) -> Bar:
    """One minute's bar."""
    ordered = sorted(ticks, key=lambda tick: (tick.ts, tick.trade_id))
    prices = [tick.price for tick in ordered]
    sizes = [tick.size for tick in ordered if tick.size is not None]
    volume = in_order(sizes)
    quote = in_order([tick.price * tick.size for tick in ordered if tick.size is not None])
    vwap = quote / volume if quote is not None and volume else None
    sources = sorted({tick.source for tick in ordered})
    source = "s" if "s" in sources else sources[0]
    return Bar(prices[0], max(prices), min(prices), prices[-1], volume, quote, vwap, len(prices), source)


def whole(minutes: Sequence[Bar]) -> Bar:
    """The bar over these minutes."""
    volumes, quotes = [bar.volume for bar in minutes], [bar.quote_volume for bar in minutes]
    volume = None if None in volumes else in_order([v for v in volumes if v is not None])
    quote = None if None in quotes else in_order([q for q in quotes if q is not None])
    return Bar(
        minutes[0].open,
        max(bar.high for bar in minutes),
        min(bar.low for bar in minutes),
        minutes[-1].close,
        volume,
        quote,
        quote / volume if quote is not None and volume else None,
        sum(bar.ticks for bar in minutes),
        max((bar.source for bar in minutes), key="sar".index),
    )


def chained(bars: Mapping[Key, Bar]) -> dict[Key, Bar]:
    """The same with the gap before each."""
    told = dict(bars)
    for (before, bar), (after, next_bar) in pairwise(sorted(bars.items(), key=lambda item: item[0])):
        if before[:2] == after[:2] and before[2] + before[1].length < after[2]:
            magnitude = (next_bar.open / bar.close - 1) * 100
            told[after] = next_bar._replace(gap_magnitude_pct=magnitude, gap_type="quiet")
    return told


def expected_gaps(bars: Mapping[Key, Bar]) -> set[tuple[Any, ...]]:
    """The stretches between bars that do not touch."""
    return {
        (*after[:2], before[2] + before[1].length, after[2], bars[after].gap_magnitude_pct)
        for before, after in pairwise(sorted(bars))
        if before[:2] == after[:2] and before[2] + before[1].length < after[2]
    }


def in_order(values: Sequence[float]) -> float | None:
    """The sum from left to right, rounded at each step as the database does."""
    total: float | None = None
    for value in values:
        total = value if total is None else total + value
    return total
