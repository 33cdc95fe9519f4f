"""Decodes Jupiter's prices and tokens."""

import sys
from datetime import timedelta
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from strandline.model.exact import Money, Quantity
from strandline.venues.feed import Listing

WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"
"""Its price is that of gas."""
# Not a rule of the venue: swaps have no minimum, but below a dollar fees outweigh the trade.
MIN_NOTIONAL: Final = Money(1)
_STALE_AFTER: Final = timedelta(seconds=60)


class Price(msgspec.Struct, frozen=True):
    """The price of a token in US dollars, as of a block."""

    usd: Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)] = msgspec.field(name="usdPrice")
    block: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = msgspec.field(name="blockId", default=None)


class Prices(NamedTuple):
    """Prices by mint, and those that could not be parsed, each with the reason."""

    parsed: dict[str, Price]
    rejected: list[tuple[bytes, str]]


class _Token(msgspec.Struct, frozen=True):
    mint: str = msgspec.field(name="id")
    symbol: str
    decimals: Annotated[int, Meta(ge=0, le=18)]


_RAW_ITEMS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PRICE: Final = msgspec.json.Decoder(Price)
_TOKENS: Final = msgspec.json.Decoder(list[_Token])
_UNREADABLE: Final = (ValueError, RecursionError)


def read_prices(body: bytes) -> Prices:
    """Decode the response of `price/v3`, without tokens that have no price; never raises, whatever the bytes are."""
    try:
        pieces = _RAW_ITEMS.decode(body)
    except _UNREADABLE as error:
        return Prices({}, [(body, str(error))])
    found = Prices({}, [])
    for mint, piece in pieces.items():
        try:
            found.parsed[mint] = _PRICE.decode(piece)
        except _UNREADABLE as error:
            found.rejected.append((bytes(piece), f"{mint[:50]!r}: {error}"))
    return found


def read_tokens(body: bytes) -> list[Listing]:
    """Decode the response of `tokens/v2/search`; raise ValueError."""
    return [
        Listing(
            token_contract=token.mint,
            symbol=token.symbol,
            lot=Quantity(f"1e-{token.decimals}"),
            min_notional=MIN_NOTIONAL,
            stale_after=_STALE_AFTER,
        )
        for token in _TOKENS.decode(body)
    ]
