"""The trades of a run, as the venue sends them and as the rows that must be in the table."""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

COINS: Final = ("BTC", "ETH", "SOL", "HYPE", "BNB")
_RUN: Final = 50
"""So many trades of one coin follow each other: a frame has those of one coin."""
_FIRST_ID: Final = 118_906_512_037_719
_SPREAD_MS: Final = 20_000
"""The trades of some seconds, which are over: a time to come would be refused."""

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_RECORD: Final = struct.Struct("!h iq ii iq id id ic ic ic")
_POSTGRES_EPOCH_MS: Final = 946_684_800_000


class Trade(NamedTuple):
    """A trade; price and size are text, as the venue sends them."""

    coin: str
    side: str
    price: str
    size: str
    time_ms: int
    trade_id: int


def make_trades(count: int, until_ms: int, first: int = 0) -> list[Trade]:
    """The same trades for the same arguments, evenly over some seconds."""
    from_ms = until_ms - _SPREAD_MS
    random = Random(first)
    return [
        Trade(
            COINS[number // _RUN % len(COINS)],
            random.choice("AB"),
            f"{random.uniform(10, 100_000):.1f}",
            f"{random.uniform(0.0001, 10):.5f}",
            from_ms + number * _SPREAD_MS // count,
            _FIRST_ID + first + number,
        )
        for number in range(count)
    ]


def frames(trades: Sequence[Trade], per_frame: int) -> list[bytes]:
    """Messages of the venue's `trades` channel."""
    random = Random(0)
    return [
        json.dumps(
            {"channel": "trades", "data": [_json(trade, random) for trade in trades[at : at + per_frame]]},
            separators=(",", ":"),
        ).encode()
        for at in range(0, len(trades), per_frame)
    ]


def copy_batches(trades: Sequence[Trade], numbers: Mapping[str, int], rows: int) -> Iterator[bytes]:
    """The same trades in COPY's binary format, so many rows in a batch."""
    for at in range(0, len(trades), rows):
        records = [_record(trade, numbers[trade.coin]) for trade in trades[at : at + rows]]
        yield b"".join([_HEADER, *records, _TRAILER])


def _json(trade: Trade, random: Random) -> dict[str, object]:
    return {
        "coin": trade.coin,
        "side": trade.side,
        "px": trade.price,
        "sz": trade.size,
        "time": trade.time_ms,
        "hash": f"0x{random.getrandbits(256):064x}",
        "tid": trade.trade_id,
        "users": [f"0x{random.getrandbits(160):040x}", f"0x{random.getrandbits(160):040x}"],
    }


def _record(trade: Trade, number: int) -> bytes:
    ts = (trade.time_ms - _POSTGRES_EPOCH_MS) * 1000
    side = {"B": b"b", "A": b"s"}[trade.side]
    price, size = float(trade.price), float(trade.size)
    return _RECORD.pack(8, 8, ts, 4, number, 8, trade.trade_id, 8, price, 8, size, 1, side, 1, b"t", 1, b"s")
