"""Hyperliquid's messages as bytes, and what they say."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from strandline.model.exact import Money, Quantity
from strandline.venues.feed import Listing
from strandline.venues.history import Candle

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_NOTIONAL: Final = Money(10)
_STALE_AFTER: Final = timedelta(seconds=120)
_GREETING: Final = b"Websocket connection established."

# What a double, an instant and a bigint can hold; prices and sizes come as text, which must not say inf or nan.
_Number: TypeAlias = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Amount: TypeAlias = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
_Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, lt=253_402_300_800_000)]
_Id: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of the `trades` feed; `side` is the aggressor's: B bought, A sold."""

    coin: str
    side: Literal["A", "B"]
    px: _Number
    sz: _Amount
    time: _Milliseconds
    tid: _Id


class Trades(NamedTuple):
    """A frame of trades; what could not be read in it is told apart, each with the reason."""

    read: list[Trade]
    unread: list[tuple[bytes, str]]


class Answer(NamedTuple):
    """To something that we asked for; `fault` says why it was refused."""

    fault: str | None


class Pong(NamedTuple):
    """To a ping."""


class Noise(NamedTuple):
    """A frame that says nothing to us; without a reason that is as it should be."""

    reason: str | None


Message: TypeAlias = Trades | Answer | Pong | Noise


class _Envelope(msgspec.Struct, frozen=True):
    channel: str
    data: msgspec.Raw = msgspec.Raw()


class _Asset(msgspec.Struct, frozen=True):
    name: str
    # The venue's prices have six decimals at most, its sizes no more.
    sz_decimals: Annotated[int, Meta(ge=0, le=18)] = msgspec.field(name="szDecimals")
    delisted: bool = msgspec.field(name="isDelisted", default=False)


class _Meta(msgspec.Struct, frozen=True):
    universe: list[_Asset]


class _Candle(msgspec.Struct, frozen=True, gc=False):
    t: _Milliseconds
    o: _Number
    h: _Number
    l: _Number  # noqa: E741  the venue's name
    c: _Number
    v: _Amount
    n: Annotated[int, Meta(ge=0, lt=2**31)]


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_TRADE: Final = msgspec.json.Decoder(Trade, strict=False)
_TRADES: Final = msgspec.json.Decoder(list[Trade], strict=False)
_PIECES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_META: Final = msgspec.json.Decoder(_Meta)
_CANDLES: Final = msgspec.json.Decoder(list[_Candle], strict=False)
# Nesting without end is refused by the decoder in its own way.
_UNREADABLE: Final = (ValueError, RecursionError)


def read_frame(frame: bytes) -> Message:
    """What the venue said; never raises, whatever the bytes are."""
    if frame == _GREETING:
        return Noise(None)
    try:
        envelope = _ENVELOPE.decode(frame)
        if envelope.channel == "trades":
            return _trades(bytes(envelope.data))
        if envelope.channel == "error":
            return Answer(_TEXT.decode(envelope.data))
    except _UNREADABLE as error:
        return Noise(str(error))
    if envelope.channel == "subscriptionResponse":
        return Answer(None)
    return Pong() if envelope.channel == "pong" else Noise(f"unknown channel {envelope.channel[:40]!r}")


def subscription(coin: str, *, wanted: bool) -> str:
    """The message that begins or ends the trades of a coin."""
    method = "subscribe" if wanted else "unsubscribe"
    told = {"method": method, "subscription": {"type": "trades", "coin": coin}}
    return msgspec.json.encode(told).decode()


def read_listings(body: bytes) -> list[Listing]:
    """The answer to `meta`; raises ValueError."""
    return [
        Listing(
            token_contract=asset.name,
            symbol=asset.name,
            lot=Quantity(f"1e-{asset.sz_decimals}"),
            min_notional=_MIN_NOTIONAL,
            stale_after=_STALE_AFTER,
            listed=not asset.delisted,
        )
        for asset in _META.decode(body).universe
    ]


def read_candles(body: bytes) -> list[Candle]:
    """The answer to `candleSnapshot`; raises ValueError."""
    return [Candle(instant(one.t), one.o, one.h, one.l, one.c, one.v, one.n) for one in _CANDLES.decode(body)]


def instant(milliseconds: int) -> datetime:
    """The venue's unit of time is the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(moment: datetime) -> int:
    """For requests."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _trades(data: bytes) -> Trades:
    """All at once where nothing is wrong, else one by one, so that one bad trade takes no good one with it."""
    try:
        return Trades(_TRADES.decode(data), [])
    except _UNREADABLE:
        found = Trades([], [])
        for piece in _PIECES.decode(data):
            try:
                found.read.append(_TRADE.decode(piece))
            except _UNREADABLE as error:
                found.unread.append((bytes(piece), str(error)))
        return found
