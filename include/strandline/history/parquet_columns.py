"""Reads the columns of a Parquet file, whatever types they were written with, and refuses what could be misread."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from strandline.history.csv_columns import instant_of, read_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TEXTS: Final = frozenset({"symbol", "side", "kind", "source"})
_WHOLE: Final = frozenset({"trade_id", "trades", "instrument_id"})


class RowError(Exception):
    """A value that is not what its column has; `position` counts the rows of the array from 0."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position


def fault_of(name: str, kind: Any) -> tuple[str, str] | None:  # noqa: ANN401  pyarrow has no types
    """Why a column of this type cannot be read, and what to write instead; None if it can."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        return None
    if name in _TEXTS:
        return f"is {kind} and not text", f'in pandas: frame["{name}"] = frame["{name}"].astype("string")'
    if name == "ts":
        if pa.types.is_timestamp(kind) and kind.tz is None:
            return (
                f"is {kind} without a time zone",
                'if UTC is meant, in pandas: frame["ts"] = frame["ts"].dt.tz_localize("UTC")',
            )
        if not (pa.types.is_timestamp(kind) or pa.types.is_integer(kind)):
            return f"is {kind} and no time", "write times with their zone, or milliseconds since 1970 as whole numbers"
    elif name in _WHOLE:
        if not pa.types.is_integer(kind):
            return f"is {kind} and not whole numbers", f'in pandas: frame["{name}"] = frame["{name}"].astype("Int64")'
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        return f"is {kind} and not numbers", f'in pandas: frame["{name}"] = frame["{name}"].astype(float)'
    return None


def read_array(name: str, array: Any, *, may_be_null: bool) -> list[Any]:  # noqa: ANN401  pyarrow has no types
    """The values of some rows of a column that has no fault; raises `RowError`."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _is_text(array.type):
        return _each(array.to_pylist(), lambda text: read_text(name, text), may_be_null=may_be_null)
    if name == "ts":
        if pa.types.is_timestamp(array.type):
            # Postgres keeps microseconds, too.
            options = pc.CastOptions(pa.timestamp("us", "UTC"), allow_time_truncate=True)
            numbers = array.cast(options=options).cast(pa.int64()).to_pylist()
            return _each(numbers, lambda number: _EPOCH + number * _MICROSECOND, may_be_null=may_be_null)
        return _each(array.to_pylist(), instant_of, may_be_null=may_be_null)
    if name in _WHOLE:
        return _each(array.to_pylist(), lambda number: read_text(name, str(number)), may_be_null=may_be_null)
    # A decimal is read as the same text would be: the nearest double.
    return _each(array.to_pylist(), float, may_be_null=may_be_null)


def _each(values: list[Any], convert: Callable[[Any], Any], *, may_be_null: bool) -> list[Any]:
    found = []
    for position, value in enumerate(values):
        if value is None and not may_be_null:
            raise RowError(position, "is null")
        try:
            found.append(None if value is None else convert(value))
        except (ValueError, OverflowError) as error:
            raise RowError(position, f"{value!r} {error}") from error
    return found


def _is_text(kind: Any) -> bool:  # noqa: ANN401  pyarrow has no types
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
