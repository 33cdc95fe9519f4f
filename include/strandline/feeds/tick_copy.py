"""Encodes ticks in the binary format of COPY, which costs a fraction of what asyncpg's own encoding does."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from strandline.model.instants import microseconds
from strandline.venues.feed import TickRow

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_POSTGRES_EPOCH: Final = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
# The number of columns, then each of them behind its length; a length of -1 is NULL.
_WHOLE: Final = struct.Struct("!h iq ii iq id id ic ic ic")
_WITHOUT_SIZE_AND_SIDE: Final = struct.Struct("!h iq ii iq id i i ic ic")


def encode(ticks: Sequence[TickRow]) -> bytes:
    """Encode them for `COPY ticks FROM STDIN (FORMAT binary)`."""
    whole, start = _WHOLE.pack, _POSTGRES_EPOCH
    records = [
        whole(8, 8, ts - start, 4, number, 8, trade_id, 8, price, 8, size, 1, side, 1, kind, 1, source)
        if size is not None and side is not None
        else _price(ts, number, trade_id, price, kind, source)
        for ts, number, trade_id, price, size, side, kind, source in ticks
    ]
    return b"".join([_HEADER, *records, _TRAILER])


def _price(ts: int, number: int, trade_id: int, price: float, kind: bytes, source: bytes) -> bytes:
    return _WITHOUT_SIZE_AND_SIDE.pack(
        8, 8, ts - _POSTGRES_EPOCH, 4, number, 8, trade_id, 8, price, -1, -1, 1, kind, 1, source
    )
