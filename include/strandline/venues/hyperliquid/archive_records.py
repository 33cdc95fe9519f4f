"""Decodes the records of Hyperliquid's archives.

The two fills of a trade, the buyer's and the seller's, share coin, time and trade id. Each alone tells the whole trade:
the aggressor is whose order crossed the spread.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from strandline.model.ids import derived_trade_id
from strandline.venues.archive import ArchivedTrade
from strandline.venues.hyperliquid.wire import instant

_SIDES: Final = {"B": b"b", "A": b"s"}
_OTHER_SIDES: Final = {"B": b"s", "A": b"b"}
_TAKER, _MAKER = 0, 1


class _Fill(msgspec.Struct, frozen=True, gc=False):
    coin: str
    px: float
    sz: float
    side: Literal["A", "B"]
    time: Annotated[int, Meta(ge=0, lt=253_402_300_800_000)]
    crossed: bool
    tid: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Block(msgspec.Struct, frozen=True):
    events: list[tuple[str, _Fill]]


class _Party(msgspec.Struct, frozen=True, gc=False):
    oid: int


class _Trade(msgspec.Struct, frozen=True):
    coin: str
    side: Literal["A", "B"]
    time: str
    px: str
    sz: str
    hash: str
    side_info: list[_Party]


_FILL: Final = msgspec.json.Decoder(tuple[str, _Fill], strict=False)
_BLOCK: Final = msgspec.json.Decoder(_Block, strict=False)
_TRADE: Final = msgspec.json.Decoder(_Trade)


def read_block(line: bytes, tokens: Collection[str]) -> list[ArchivedTrade]:
    """Decode a line of node_fills_by_block: the fills of one block."""
    return [_of_fill(fill) for _, fill in _BLOCK.decode(line).events if fill.coin in tokens]


def read_fill(line: bytes, tokens: Collection[str]) -> list[ArchivedTrade]:
    """Decode a line of node_fills: one fill."""
    _, fill = _FILL.decode(line)
    return [_of_fill(fill)] if fill.coin in tokens else []


def read_trade(line: bytes, tokens: Collection[str]) -> list[ArchivedTrade]:
    """Decode a line of node_trades: one trade, whose id is derived."""
    trade = _TRADE.decode(line)
    if trade.coin not in tokens:
        return []
    at = datetime.fromisoformat(trade.time)
    return [
        ArchivedTrade(
            at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
            trade.coin,
            _derived_id(trade),
            float(trade.px),
            float(trade.sz),
            _SIDES[trade.side],
            _TAKER,
        )
    ]


def _of_fill(fill: _Fill) -> ArchivedTrade:
    side, rank = (_SIDES, _TAKER) if fill.crossed else (_OTHER_SIDES, _MAKER)
    return ArchivedTrade(instant(fill.time), fill.coin, fill.tid, fill.px, fill.sz, side[fill.side], rank)


def _derived_id(trade: _Trade) -> int:
    """Derive it from what tells one trade from all others: the transaction, and the orders that met."""
    orders = [party.oid for party in trade.side_info]
    return derived_trade_id(trade.coin, trade.time, trade.px, trade.sz, trade.side, trade.hash, *orders)
