"""Reads the text of columns."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pandas as pd  # type: ignore[import-untyped]

from strandline.venues.archive import BadFileError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**31 - 1
_FIRST: Final = 10**11
"""In 1973: as seconds, that number would be in the year 5138."""

_LAST: Final = 10**14
"""In the year 5138: as microseconds, that number is in 1973."""


def read_columns(path: Path, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Convert the text of every column; raises `BadFileError` with line and column. The index counts from 0."""
    return {name: _read(path, frame, name) for name in map(str, frame.columns)}


def read_text(name: str, text: str) -> Any:  # noqa: ANN401  whatever the column has
    """Convert a text of this column; raises `ValueError` or `OverflowError`, which says what it is not."""
    return _READERS[name](text)


def _read(path: Path, frame: pd.DataFrame, name: str) -> list[Any]:
    values = []
    for position, text in enumerate(frame[name].tolist()):
        try:
            values.append(read_text(name, text))
        except (ValueError, OverflowError) as error:
            first = int(frame.index[0]) + 2
            raise BadFileError(
                f"{path}, line {first + position}, column {name}: {text!r} {error}",
                f"nothing from line {first} on was stored; mend it and run the same again",
            ) from error
    return values


def instant_of(milliseconds: int) -> datetime:
    """Read milliseconds since 1970; seconds and microseconds would lie in other centuries, and are refused."""
    if not _FIRST <= milliseconds < _LAST:
        raise ValueError("are no milliseconds since 1970, such as 1772323200000; convert seconds or microseconds")
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _instant(text: str) -> datetime:
    if text.isdigit():
        return instant_of(int(text))
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


def _kind(text: str) -> bytes:
    if text not in {"t", "p"}:
        raise ValueError("is neither t, a trade, nor p, a price")
    return text.encode()


def _source(text: str) -> bytes:
    if text not in {"s", "r", "a"}:
        raise ValueError("is none of s, streamed, r, polled, and a, of an archive")
    return text.encode()


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("is no symbol")
    return text.strip()


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "ts": _instant,
    "symbol": _name,
    "trade_id": _whole,
    "side": _side,
    "kind": _kind,
    "source": _source,
    "instrument_id": _whole,
    "trades": _count,
    **dict.fromkeys(("price", "size", "open", "high", "low", "close", "volume"), _number),
}
