"""Encodes and decodes Hyperliquid's market data."""

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

# The ranges of double, timestamp and bigint columns; prices and sizes are text, in which inf and nan are refused.
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


class RejectedTrade(NamedTuple):
    """A trade that could not be parsed, and why; coin and time if those could."""

    payload: bytes
    reason: str
    coin: str | None = None
    time: int | None = None


class Trades(NamedTuple):
    """A frame of trades, and those in it that could not be parsed."""

    parsed: list[Trade]
    rejected: list[RejectedTrade]


class Mids(NamedTuple):
    """The middle of each coin's book, and those that could not be parsed, each with the reason."""

    parsed: dict[str, float]
    rejected: list[tuple[bytes, str]]


class _Occurrence(msgspec.Struct, frozen=True):
    coin: str
    time: _Milliseconds


class Change(NamedTuple):
    """A change of a subscription: `subscribe` or `unsubscribe`, and the coin."""

    method: str
    coin: str


class SubscriptionReply(NamedTuple):
    """The response to a change: which one is confirmed, or why one was refused."""

    change: Change | None
    error: str | None = None


class Pong(NamedTuple):
    """The response to a ping."""


class OtherFrame(NamedTuple):
    """Any other frame; `reason` says what is wrong with it, if anything, `broken` that it may have held trades."""

    reason: str | None
    broken: bool = False


Message: TypeAlias = Trades | SubscriptionReply | Pong | OtherFrame


class _Envelope(msgspec.Struct, frozen=True):
    channel: str
    data: msgspec.Raw = msgspec.Raw()


class _TradesFrame(msgspec.Struct, frozen=True, gc=False):
    channel: Literal["trades"]
    data: list[Trade]


class _Subscription(msgspec.Struct, frozen=True):
    coin: str


class _Confirmation(msgspec.Struct, frozen=True):
    method: str
    subscription: _Subscription


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


_FRAME: Final = msgspec.json.Decoder(_TradesFrame, strict=False)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_TRADE: Final = msgspec.json.Decoder(Trade, strict=False)
_TRADES: Final = msgspec.json.Decoder(list[Trade], strict=False)
_OCCURRENCE: Final = msgspec.json.Decoder(_Occurrence)
_RAW_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CONFIRMATION: Final = msgspec.json.Decoder(_Confirmation)
_TEXT: Final = msgspec.json.Decoder(str)
_RAW_VALUES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PRICE: Final = msgspec.json.Decoder(_Number, strict=False)
_META: Final = msgspec.json.Decoder(_Meta)
_CANDLES: Final = msgspec.json.Decoder(list[_Candle], strict=False)
# The decoder raises RecursionError on nesting that is too deep.
_UNREADABLE: Final = (ValueError, RecursionError)


def read_frame(frame: bytes) -> Message:
    """Decode a frame; never raises, whatever the bytes are.

    Nearly all are whole frames of trades, which are decoded in one pass; the others are taken apart.
    """
    try:
        return Trades(_FRAME.decode(frame).data, [])
    except _UNREADABLE:
        return take_apart(frame)


def take_apart(frame: bytes) -> Message:
    """Decode a frame piece by piece, so that all that can be read is, and what cannot has a reason."""
    if frame == _GREETING:
        return OtherFrame(None)
    try:
        envelope = _ENVELOPE.decode(frame)
        if envelope.channel == "trades":
            return _trades(bytes(envelope.data))
        if envelope.channel == "error":
            return SubscriptionReply(None, _TEXT.decode(envelope.data))
        if envelope.channel == "subscriptionResponse":
            confirmed = _CONFIRMATION.decode(envelope.data)
            return SubscriptionReply(Change(confirmed.method, confirmed.subscription.coin))
    except _UNREADABLE as error:
        return OtherFrame(str(error), broken=True)
    return Pong() if envelope.channel == "pong" else OtherFrame(f"unknown channel {envelope.channel[:40]!r}")


def subscription(change: Change) -> str:
    """Encode the message that subscribes to the trades of a coin, or unsubscribes."""
    message = {"method": change.method, "subscription": {"type": "trades", "coin": change.coin}}
    return msgspec.json.encode(message).decode()


def read_listings(body: bytes) -> list[Listing]:
    """Decode the response to `meta`; raise ValueError."""
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


def read_mids(body: bytes) -> Mids:
    """Decode the response to `allMids`; never raises, whatever the bytes are."""
    try:
        pieces = _RAW_VALUES.decode(body)
    except _UNREADABLE as error:
        return Mids({}, [(body, str(error))])
    found = Mids({}, [])
    for coin, piece in pieces.items():
        try:
            found.parsed[coin] = _PRICE.decode(piece)
        except _UNREADABLE as error:
            found.rejected.append((bytes(piece), f"{coin[:50]!r}: {error}"))
    return found


def read_candles(body: bytes) -> list[Candle]:
    """Decode the response to `candleSnapshot`; raise ValueError."""
    return [Candle(instant(one.t), one.o, one.h, one.l, one.c, one.v, one.n) for one in _CANDLES.decode(body)]


def instant(milliseconds: int) -> datetime:
    """Convert from the venue's milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(moment: datetime) -> int:
    """Convert to the venue's milliseconds."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _trades(data: bytes) -> Trades:
    """Decode all at once; if that fails one by one, so that one bad trade does not reject the others."""
    try:
        return Trades(_TRADES.decode(data), [])
    except _UNREADABLE:
        found = Trades([], [])
        for piece in _RAW_ITEMS.decode(data):
            try:
                found.parsed.append(_TRADE.decode(piece))
            except _UNREADABLE as error:
                found.rejected.append(_rejected(bytes(piece), str(error)))
        return found


def _rejected(piece: bytes, reason: str) -> RejectedTrade:
    try:
        occurrence = _OCCURRENCE.decode(piece)
    except _UNREADABLE:
        return RejectedTrade(piece, reason)
    return RejectedTrade(piece, reason, occurrence.coin, occurrence.time)
