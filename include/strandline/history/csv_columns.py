"""The columns of CSV files: which a file must have, and how their text is read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pandas as pd  # type: ignore[import-untyped]

from strandline.venues.archive import BadFileError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**31 - 1


class Kind(StrEnum):
    """What the lines of a file are."""

    TRADES = "trades"
    PRICES = "prices"
    BARS = "bars"


REQUIRED: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.TRADES: ("ts", "price", "size", "side"),
    Kind.PRICES: ("ts", "price"),
    Kind.BARS: ("ts", "open", "high", "low", "close", "volume"),
}
OPTIONAL: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.TRADES: ("symbol", "trade_id"),
    Kind.PRICES: ("symbol",),
    Kind.BARS: ("symbol", "trades"),
}


def kind_of(path: Path, columns: Sequence[str]) -> Kind:
    """Tell trades, prices and bars from each other; raises `BadFileError` if a column is missing or unknown."""
    kind = Kind.BARS if "open" in columns else Kind.TRADES if {"size", "side"} & set(columns) else Kind.PRICES
    missing = [name for name in REQUIRED[kind] if name not in columns]
    unknown = [name for name in columns if name not in (*REQUIRED[kind], *OPTIONAL[kind])]
    if missing or unknown:
        faults = [f"no column {name}" for name in missing] + [f"an unknown column {name}" for name in unknown]
        raise BadFileError(
            f"{path}, line 1: {' and '.join(faults)}",
            f"{kind} have the columns {', '.join(REQUIRED[kind])} and may have {', '.join(OPTIONAL[kind])}",
        )
    return kind


def read_columns(path: Path, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Convert the text of every column; raises `BadFileError` with line and column. The index counts from 0."""
    return {name: _read(path, frame, name) for name in map(str, frame.columns)}


def _read(path: Path, frame: pd.DataFrame, name: str) -> list[Any]:
    read = _READERS[name]
    values = []
    for position, text in enumerate(frame[name].tolist()):
        try:
            values.append(read(text))
        except (ValueError, OverflowError) as error:
            first = int(frame.index[0]) + 2
            raise BadFileError(
                f"{path}, line {first + position}, column {name}: {text!r} {error}",
                f"nothing from line {first} on was stored; mend it and run the same again",
            ) from error
    return values


def _instant(text: str) -> datetime:
    if text.isdigit():
        return _EPOCH + timedelta(milliseconds=int(text))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time; write it as 2026-11-20T14:00:00Z, or in milliseconds since 1970") from None
    if instant.tzinfo is None:
        raise ValueError("has no time zone; write a Z at its end if UTC is meant")
    return instant.astimezone(UTC)


def _number(text: str) -> float:
    try:
        return float(text.replace("_", "x"))
    except ValueError:
        raise ValueError("is no number") from None


def _whole(text: str) -> int:
    try:
        return int(text.replace("_", "x"))
    except ValueError:
        raise ValueError("is no whole number") from None


def _count(text: str) -> int | None:
    count = _whole(text) if text else None
    if count is not None and not 0 <= count <= _LARGEST:
        raise ValueError("is no number of trades")
    return count


def _side(text: str) -> bytes:
    try:
        return {"b": b"b", "buy": b"b", "s": b"s", "sell": b"s"}[text.lower()]
    except KeyError:
        raise ValueError("is neither buy nor sell, who was the aggressor") from None


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("is no symbol")
    return text.strip()


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "ts": _instant,
    "symbol": _name,
    "trade_id": _whole,
    "side": _side,
    "trades": _count,
    **dict.fromkeys(("price", "size", "open", "high", "low", "close", "volume"), _number),
}
