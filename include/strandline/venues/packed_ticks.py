"""Ticks as an array, for those who have thousands at once."""

import math
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from strandline.venues.feed import TickRow

TICK: Final = np.dtype(
    [
        ("ts", np.int64),
        ("trade_id", np.int64),
        ("instrument_id", np.int32),
        ("side", np.uint8),
        ("kind", np.uint8),
        ("source", np.uint8),
        ("unused", np.uint8),
        ("price", np.float64),
        ("size", np.float64),
    ]
)
"""A `TickRow`, its key first. Letters are their codes; a missing side is 0, a missing size NaN."""
PackedTicks: TypeAlias = NDArray[np.void]
KEY_BYTES: Final = 20
"""A packed tick begins with so many bytes of its key: time, trade id and instrument."""

_ROW: Final = struct.Struct("=qqiBBBxdd")
_KEY: Final = np.dtype({"names": ["key"], "formats": [f"V{KEY_BYTES}"], "offsets": [0], "itemsize": TICK.itemsize})
_LETTERS: Final = (None, *(bytes([code]) for code in range(1, 256)))


def pack_row(row: TickRow) -> bytes:
    """The tick's bytes; its numbers must be in the ranges of their columns."""
    ts, number, trade_id, price, size, side, kind, source = row
    return _ROW.pack(
        ts, trade_id, number, side[0] if side else 0, kind[0], source[0], price, math.nan if size is None else size
    )


def pack(rows: Sequence[TickRow]) -> PackedTicks:
    """Make an array."""
    return join([pack_row(row) for row in rows])


def join(pieces: Sequence[bytes]) -> PackedTicks:
    """Make an array of the bytes of ticks, each piece those of one or more."""
    data = b"".join(pieces)
    return np.frombuffer(data, TICK) if data else np.empty(0, TICK)


def unpack(ticks: PackedTicks) -> list[TickRow]:
    """Make tuples."""
    return [
        (
            ts,
            number,
            trade_id,
            price,
            None if math.isnan(size) else size,
            _LETTERS[side],
            bytes([kind]),
            bytes([source]),
        )
        for ts, trade_id, number, side, kind, source, _, price, size in ticks.tolist()
    ]


def keys(ticks: PackedTicks) -> list[bytes]:
    """The keys, as packed ticks begin with them."""
    found: list[bytes] = ticks.view(_KEY)["key"].tolist()
    return found
