"""Makes units of a CSV file of trades, prices or bars: one for each fifty thousand lines."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd  # type: ignore[import-untyped]

from strandline.history.candles import CandleRow, store_candles
from strandline.history.csv_columns import Kind, kind_of, read_columns
from strandline.history.csv_ticks import TickReader
from strandline.history.loads import record_load, take_turns
from strandline.history.ticks import load_ticks
from strandline.history.units import IN_FILES, DaysInFiles, Loaded, Unit, UnitKey
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.archive import BadFileError

LINES_AT_ONCE: Final = 50_000


class FileRequest(NamedTuple):
    """What to take from the file: instruments by token, with the names that the file may have for them."""

    path: Path
    instruments: Mapping[str, int]
    names: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    loaded_at: datetime
    in_files: DaysInFiles = ()


def file_units(request: FileRequest, lines: int = LINES_AT_ONCE) -> Iterator[Unit]:
    """Read the file piece by piece; raises `BadFileError` at the first line that is not what its column says.

    pandas reads it as text, so that numbers are converted exactly and a fault is told by line and column.
    """
    reader = TickReader()
    for frame in _frames(request.path, lines):
        kind = kind_of(request.path, [str(name) for name in frame.columns])
        if "symbol" not in frame and len(request.instruments) > 1:
            raise StrandlineError(
                f"{request.path} has no column symbol", f"ask for one symbol instead of {len(request.instruments)}"
            )
        if not frame.empty:
            yield _unit(request, kind, frame, read_columns(request.path, frame), reader)


def _frames(path: Path, lines: int) -> Iterator[pd.DataFrame]:
    try:
        with pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False, chunksize=lines, encoding="utf-8"
        ) as frames:
            yield from frames
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, EOFError, OSError) as error:
        raise BadFileError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _unit(
    request: FileRequest, kind: Kind, frame: pd.DataFrame, columns: Mapping[str, Sequence[Any]], reader: TickReader
) -> Unit:
    first = int(frame.index[0]) + 2
    name = f"{request.path.name}, lines {first} to {first + len(frame) - 1}"
    digest = sha256(frame.to_csv(index=False).encode()).hexdigest()
    key = UnitKey(HistorySource.FILE, name, request.starts_at, request.ends_at, digest)
    numbers = _numbers(request, columns, len(frame))
    if kind is Kind.BARS:
        rows = _bars(columns, numbers)

        async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
            return await _load_bars(connection, key, wanted, rows, request)

    else:
        ticks = (reader.trades if kind is Kind.TRADES else reader.prices)(columns, numbers)

        async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
            of_wanted = [tick for tick in ticks if tick.instrument_id in wanted.values()]
            return await load_ticks(connection, key, wanted.values(), [of_wanted], request.loaded_at, request.in_files)

    return Unit(name, request.instruments, lambda: key, load, complete_until=request.ends_at)


def _numbers(request: FileRequest, columns: Mapping[str, Sequence[Any]], count: int) -> list[int | None]:
    """The instrument of each line; None where it is not asked for."""
    if "symbol" not in columns:
        (only,) = request.instruments.values()
        return [only] * count
    return [request.instruments.get(request.names.get(name, name)) for name in columns["symbol"]]


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
        return "outside the time asked for"
    return IN_FILES if request.in_files and (number, ts.date()) in request.in_files else None
