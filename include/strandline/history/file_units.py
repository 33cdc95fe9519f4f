"""Makes units of a file of trades, prices or bars: one for each piece of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

from strandline.history.candles import CandleRow, store_candles
from strandline.history.csv_file import csv_pieces
from strandline.history.file_columns import Kind, Piece
from strandline.history.file_ticks import TickReader
from strandline.history.loads import record_load, take_turns
from strandline.history.parquet_file import is_parquet, parquet_pieces
from strandline.history.ticks import load_ticks
from strandline.history.units import IN_FILES, OUTSIDE, DaysInFiles, Loaded, Unit, UnitKey
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection

ROWS_AT_ONCE: Final = 50_000
_INSTANT: Final = timedelta(microseconds=1)


class FileRequest(NamedTuple):
    """What to take from the file: instruments by token, with the names that the file may have for them."""

    path: Path
    venue: VenueKey
    instruments: Mapping[str, int]
    names: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    loaded_at: datetime
    in_files: DaysInFiles = ()


def file_units(request: FileRequest, rows: int = ROWS_AT_ONCE) -> Iterator[Unit]:
    """Read the file piece by piece; raises `BadFileError` at the first row that is not what its column says."""
    reader = TickReader()
    pieces = parquet_pieces if is_parquet(request.path) else csv_pieces
    for piece in pieces(request.path, rows):
        if "symbol" not in piece.columns and len(request.instruments) > 1:
            raise StrandlineError(
                f"{request.path} has no column symbol", f"ask for one symbol instead of {len(request.instruments)}"
            )
        if piece.columns["ts"]:
            yield _unit(request, piece, reader)


def _unit(request: FileRequest, piece: Piece, reader: TickReader) -> Unit:
    name = f"{request.path.name}, {piece.name}"
    key = UnitKey(HistorySource.FILE, name, request.starts_at, request.ends_at, piece.content_hash)
    numbers = _numbers(request, piece)
    if piece.kind is Kind.BARS:
        rows = _bars(piece.columns, numbers)

        async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
            return await _load_bars(connection, key, wanted, rows, request)

    else:
        ticks = reader.read(piece.kind, piece.columns, numbers)

        async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
            of_wanted = [tick for tick in ticks if tick.instrument_id in wanted.values()]
            return await load_ticks(connection, key, wanted.values(), [of_wanted], request.loaded_at, request.in_files)

    # A row outside of the time asked for is refused, so that it tells nothing of what is loaded.
    times = [ts for ts in piece.columns["ts"] if request.starts_at <= ts < request.ends_at] or [request.starts_at]
    return Unit(
        name,
        request.instruments,
        lambda: key,
        load,
        complete_until=request.ends_at,
        since=min(times),
        until=max(times) + _INSTANT,
        passed_over=Counter(
            symbol for symbol, number in zip(piece.columns.get("symbol", ()), numbers, strict=False) if number is None
        ),
    )


def _numbers(request: FileRequest, piece: Piece) -> list[int | None]:
    """The instrument of each row; None where it is not asked for."""
    if "symbol" not in piece.columns:
        (only,) = request.instruments.values()
        return [only] * len(piece.columns["ts"])
    if piece.kind is Kind.TICKS:
        known = {f"{request.venue}/{token}": number for token, number in request.instruments.items()}
    else:
        numbers = request.instruments
        named = {name: numbers[token] for name, token in request.names.items() if token in numbers}
        known = {name.lower(): number for name, number in ({**named, **numbers}).items()} | named | dict(numbers)
    found = {name: known.get(name, known.get(name.lower())) for name in set(piece.columns["symbol"])}
    return [found[name] for name in piece.columns["symbol"]]


def _bars(columns: Mapping[str, Sequence[Any]], numbers: Sequence[int | None]) -> list[CandleRow]:
    trades = columns.get("trades") or [None] * len(numbers)
    values = zip(
        numbers, *(columns[name] for name in ("ts", "open", "high", "low", "close", "volume")), trades, strict=True
    )
    return [(number, *row) for number, *row in values if number is not None]


async def _load_bars(
    connection: Connection, key: UnitKey, wanted: Mapping[str, int], rows: Sequence[CandleRow], request: FileRequest
) -> Mapping[int, Loaded]:
    refused: dict[int, Counter[str]] = defaultdict(Counter)
    valid = []
    for row in rows:
        if row[0] in wanted.values():
            if fault := _fault(row, key, request):
                refused[row[0]][fault] += 1
            else:
                valid.append(row)
    async with connection.transaction():
        await take_turns(connection)
        stored = await store_candles(connection, Timeframe.M1, valid, request.loaded_at, replace=False)
        counts = {number: stored.get(number, Loaded()) for number in wanted.values()}
        for number, reasons in refused.items():
            counts[number].refused += reasons
        await record_load(connection, key, str(key.content_hash), counts, request.loaded_at)
    return counts


def _fault(row: CandleRow, key: UnitKey, request: FileRequest) -> str | None:
    """Why the bar is refused, if it is."""
    number, ts, first, high, low, last, volume, _ = row
    if not all(map(isfinite, (first, high, low, last, volume))):
        return "not a finite number"
    if low <= 0:
        return "price not above 0"
    if volume < 0:
        return "volume below 0"
    if not low <= min(first, last) <= max(first, last) <= high:
        return "open or close outside of low to high"
    if not Timeframe.M1.starts_bar(ts):
        return "not the start of a minute"
    if ts + Timeframe.M1.length > request.loaded_at:
        return "in the future"
    if not key.starts_at <= ts < key.ends_at:
        return OUTSIDE
    return IN_FILES if request.in_files and (number, ts.date()) in request.in_files else None
