"""The parts of Hyperliquid's responses that we read. Numbers stay text until they become exact."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Number: TypeAlias = Annotated[str, Meta(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$")]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, lt=253_402_300_800_000)]


class Asset(Struct, rename="camel"):
    """A coin as listed; its place in the list is its id in orders."""

    name: str
    sz_decimals: Annotated[int, Meta(ge=0, le=18)]
    max_leverage: Annotated[int, Meta(ge=1)]
    is_delisted: bool = False
    only_isolated: bool = False


class Universe(Struct):
    """All coins that were ever listed."""

    universe: list[Asset]


class Context(Struct, rename="camel"):
    """A coin's current state. Funding is the hourly rate; there is no mid price while a side of the book is empty."""

    mark_px: Number
    funding: Number
    mid_px: Number | None = None


class Market(Struct, array_like=True):
    """The coins and their contexts, in the same order."""

    meta: Universe
    contexts: list[Context]


class Level(Struct):
    """A price level of the book."""

    px: Number


class Book(Struct):
    """Bids and asks, the best first."""

    time: Milliseconds
    levels: tuple[list[Level], list[Level]]


class Status(Struct, rename="camel"):
    """The state of the exchange; `special_statuses` is empty during normal operation."""

    time: Milliseconds
    special_statuses: object = None


class Leverage(Struct):
    """The account's setting for a coin."""

    type: str
    value: int


class ActiveAsset(Struct):
    """The account and one coin, held or not."""

    leverage: Leverage


class Held(Struct):
    """One position; below zero it is short."""

    coin: str
    szi: Number


class AssetPosition(Struct):
    """The wrapper around a position."""

    position: Held


class Margin(Struct, rename="camel"):
    """The account's value and used margin."""

    account_value: Number
    total_margin_used: Number


class Account(Struct, rename="camel"):
    """Positions and margin."""

    margin_summary: Margin
    cross_margin_summary: Margin
    asset_positions: list[AssetPosition]
    time: Milliseconds


class UserFill(Struct, rename="camel"):
    """A trade of the account."""

    coin: str
    px: Number
    sz: Number
    side: Literal["A", "B"]
    time: Milliseconds
    oid: int
    tid: int
    fee: Number
    fee_token: str
    cloid: str | None = None


class FundingDelta(Struct):
    """Funding received by a position; negative if paid."""

    coin: str
    usdc: Number


class FundingRow(Struct):
    """The funding of one hour."""

    time: Milliseconds
    delta: FundingDelta


class LedgerDelta(Struct, rename="camel"):
    """A cash movement; which fields are set depends on the type."""

    type: str
    usdc: Number = "0"
    amount: Number = "0"
    fee: Number = "0"
    net_withdrawn_usd: Number = "0"
    token: str = ""
    fee_token: str = ""
    to_perp: bool = False
    user: str = ""
    destination: str = ""
    source_dex: str = ""
    destination_dex: str = ""


class LedgerRow(Struct):
    """A cash movement that is not a trade."""

    time: Milliseconds
    hash: str
    delta: LedgerDelta


class Placed(Struct, rename="camel"):
    """An order; `sz` is the quantity that was not traded."""

    oid: int
    sz: Number
    orig_sz: Number


class Historical(Struct):
    """An order with its status."""

    order: Placed
    status: str


class OrderStatusResponse(Struct):
    """The response to `orderStatus`; without an order if the venue does not know it."""

    status: Literal["order", "unknownOid"]
    order: Historical | None = None


class Filled(Struct, rename="camel"):
    """The quantity that traded immediately."""

    oid: int
    total_sz: Number


class OrderState(Struct):
    """The outcome of an order; without either field it is neither filled nor refused."""

    filled: Filled | None = None
    error: str | None = None


class Statuses(Struct):
    """One for each order of the request."""

    statuses: list[str | OrderState]


class Response(Struct):
    """Actions other than orders have no data."""

    type: str
    data: Statuses | None = None


class Done(Struct, tag_field="status", tag="ok"):
    """The venue accepted the action."""

    response: Response


class Refused(Struct, tag_field="status", tag="err"):
    """The venue refused the action."""

    response: str


Reply: TypeAlias = Done | Refused
