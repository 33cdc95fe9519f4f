"""Reads the tape's file and the database's tables, coin by coin."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from tests.feeds.tape.expected import Bar, Marks, Numbers
from tests.feeds.tape.market import Trade

_FOREVER = 2**60


class Tick(NamedTuple):
    """A row of `ticks`, its time in milliseconds; price and size as numbers."""

    time: int
    tid: int
    px: float
    sz: float | None
    side: str | None
    kind: str
    source: str


@dataclass
class Stored:
    """What the database has of one coin; times are in milliseconds."""

    ticks: list[Tick] = field(default_factory=list)
    bars: dict[tuple[str, int], Bar] = field(default_factory=dict)
    candles: dict[str, dict[int, Numbers]] = field(default_factory=lambda: defaultdict(dict))
    outages: list[tuple[int, int, bool]] = field(default_factory=list)
    dropped: dict[int, tuple[int, bool]] = field(default_factory=dict)
    gaps: set[tuple[str, int]] = field(default_factory=set)

    def marks(self, minute: int) -> Marks:
        """What is said to be missing in a minute. The venue's candle proves the minute, too."""
        repairs = [repaired for start, end, repaired in self.outages if start <= minute < end]
        outage = bool(repairs)
        dropped, repaired = self.dropped.get(minute, (0, True))
        if not (outage or dropped):
            return Marks()
        return Marks(outage, dropped, (all(repairs) and repaired) or minute in self.candles["1m"])


def read_tape(path: Path) -> dict[str, dict[tuple[int, int], Trade]]:
    """Every trade of the tape, by coin, and by time and id."""
    tape: dict[str, dict[tuple[int, int], Trade]] = defaultdict(dict)
    with path.open() as lines:
        for line in lines:
            coin, time, tid, px, sz, side, hash_, withheld = line.rstrip("\n").split("\t")
            trade = Trade(coin, int(time), int(tid), px, sz, side, hash_, withheld == "True")
            assert (trade.time, trade.tid) not in tape[coin], "the tape has a trade twice"
            tape[coin][trade.time, trade.tid] = trade
    return tape


def read_tables(engine: Engine) -> Iterator[tuple[str, Stored]]:
    """What is stored of each coin of Hyperliquid, one after the other: two million ticks at once take much memory."""
    with engine.connect() as connection:
        listed = connection.execute(
            text("SELECT instrument_id, token_contract FROM instruments WHERE token_chain = 'hyperliquid'")
        )
        names: dict[int, str] = {row[0]: row[1] for row in listed}
    small: dict[int, Stored] = defaultdict(Stored)
    for number, timeframe, ts, *values in _rows(
        engine,
        "SELECT instrument_id, timeframe::text, {ts}, open, high, low, close, volume, quote_volume, vwap, ticks,"
        " source::text, outage, dropped, repaired, gap_detected, gap_magnitude_pct, gap_type::text FROM bars",
    ):
        small[number].bars[timeframe, ts] = Bar(*values)
    for number, timeframe, ts, *values in _rows(
        engine,
        "SELECT instrument_id, timeframe::text, {ts}, open, high, low, close, volume, trades FROM venue_candles"
        " WHERE volume > 0",
    ):
        small[number].candles[timeframe][ts] = Numbers(*values)
    for number, start, end, repaired in _rows(
        engine,
        "SELECT instrument_id, {starts_at}, CASE WHEN ends_at = 'infinity' THEN "
        f"{_FOREVER}"
        " ELSE {ends_at} END, repaired_at IS NOT NULL FROM outages",
    ):
        small[number].outages.append((start, end, repaired))
    for number, minute, dropped, repaired in _rows(
        engine, "SELECT instrument_id, {minute}, dropped, repaired_at IS NOT NULL FROM dropped_ticks"
    ):
        small[number].dropped[minute] = dropped, repaired
    for number, timeframe, ends_at in _rows(engine, "SELECT instrument_id, timeframe::text, {ends_at} FROM gaps"):
        small[number].gaps.add((timeframe, ends_at))
    ticks = _rows(
        engine,
        "SELECT instrument_id, {ts}, trade_id, price, size, side::text, kind::text, source::text FROM ticks"
        " ORDER BY instrument_id",
    )
    for number, rows in groupby(ticks, key=lambda row: row[0]):
        stored = small.pop(number, Stored())
        stored.ticks = [Tick(*row[1:]) for row in rows]
        if number in names:
            yield names[number], stored
    for number, stored in small.items():
        if number in names:
            yield names[number], stored


def scalar(engine: Engine, statement: str, **values: object) -> Any:
    """The first value of the first row; None without a row."""
    with engine.connect() as connection:
        row = connection.execute(text(statement), values).first()
    return None if row is None else row[0]


def _rows(engine: Engine, statement: str) -> Iterator[Sequence[Any]]:
    """The rows of a statement in which a column in braces is a time, a portion at a time."""
    with _cursor(engine) as cursor:
        cursor.itersize = 50_000
        cursor.execute(statement.format_map(_Milliseconds()))
        yield from cursor


@contextmanager
def _cursor(engine: Engine) -> Iterator[Any]:
    connection: Any = engine.raw_connection()
    try:
        with connection.cursor("proof") as cursor:
            yield cursor
    finally:
        connection.close()


class _Milliseconds(dict[str, str]):
    """Replaces the name of a column by its milliseconds."""

    def __missing__(self, name: str) -> str:
        return f"(extract(epoch FROM {name}) * 1000)::bigint"
