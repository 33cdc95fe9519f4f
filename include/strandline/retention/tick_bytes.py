"""Ticks as 40 bytes each, as the function `tick_bytes` of the database makes them, and as columns of Parquet."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

TICK: Final = np.dtype(
    [
        ("ts", ">i8"),
        ("instrument_id", ">i4"),
        ("trade_id", ">i8"),
        ("price", ">f8"),
        ("size", ">f8"),
        ("has_size", "S1"),
        ("side", "S1"),
        ("kind", "S1"),
        ("source", "S1"),
    ]
)
"""`ts` counts microseconds from 2000, as in Postgres. A size of null is 0 with `has_size` `-`, a side of null `-`."""

SCHEMA: Final = pa.schema(
    [
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("instrument_id", pa.int32(), nullable=False),
        pa.field("trade_id", pa.int64(), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("size", pa.float64()),
        pa.field("side", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""The columns of the table `ticks`, with the same names and meanings."""

EPOCH: Final = 946_684_800_000_000
"""Microseconds from 1970, where Parquet's time begins, to 2000, where that of Postgres does."""

_NULL: Final = b"-"
Ticks = npt.NDArray[np.void]


def from_bytes(data: bytes | memoryview) -> Ticks:
    """The ticks in these bytes."""
    return np.frombuffer(data, TICK)


def to_columns(ticks: Ticks) -> Any:  # noqa: ANN401  pyarrow has no types
    """A table of Parquet's types."""
    columns = [
        pa.array(ticks["ts"].astype("i8") + EPOCH, pa.timestamp("us", tz="UTC")),
        pa.array(ticks["instrument_id"].astype("i4")),
        pa.array(ticks["trade_id"].astype("i8")),
        pa.array(ticks["price"].astype("f8")),
        pa.array(ticks["size"].astype("f8"), mask=ticks["has_size"] == _NULL),
        pa.array(ticks["side"].astype("U1"), pa.string(), mask=ticks["side"] == _NULL),
        pa.array(ticks["kind"].astype("U1"), pa.string()),
        pa.array(ticks["source"].astype("U1"), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def from_columns(batch: Any) -> Ticks:  # noqa: ANN401  pyarrow has no types
    """The ticks of a batch of rows."""
    ticks = np.empty(batch.num_rows, TICK)
    ticks["ts"] = batch.column("ts").cast(pa.int64()).to_numpy() - EPOCH
    for name in ("instrument_id", "trade_id", "price"):
        ticks[name] = batch.column(name).to_numpy()
    size = batch.column("size")
    ticks["size"] = size.fill_null(0.0).to_numpy(zero_copy_only=False)
    ticks["has_size"] = np.where(size.is_valid().to_numpy(zero_copy_only=False), b"+", _NULL)
    for name in ("side", "kind", "source"):
        encoded = batch.column(name).fill_null(_NULL.decode()).dictionary_encode()
        letters = np.array(encoded.dictionary.to_pylist(), "S1")
        ticks[name] = letters[encoded.indices.to_numpy()] if len(letters) else b""
    return ticks
