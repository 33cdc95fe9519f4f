"""Orders and their statuses."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from strandline_sim.hyperliquid.numbers import ZERO


class Tif(StrEnum):
    """Time in force."""

    GTC = "Gtc"
    IOC = "Ioc"
    ALO = "Alo"
    FRONTEND_MARKET = "FrontendMarket"
    LIQUIDATION_MARKET = "LiquidationMarket"

    @property
    def is_market(self) -> bool:
        """Whether the venue calls the order a market order: those of its own page, and liquidations."""
        return self in {Tif.FRONTEND_MARKET, Tif.LIQUIDATION_MARKET}

    @property
    def is_immediate(self) -> bool:
        """Whether what is not filled at once is cancelled."""
        return self is Tif.IOC or self.is_market


class Status(StrEnum):
    """The venue's order statuses, as far as they are simulated."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    TRIGGERED = "triggered"
    MARGIN_CANCELED = "marginCanceled"
    SELF_TRADE_CANCELED = "selfTradeCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    SIBLING_FILLED_CANCELED = "siblingFilledCanceled"
    LIQUIDATED_CANCELED = "liquidatedCanceled"
    SCHEDULED_CANCEL = "scheduledCancel"
    REJECTED = "rejected"
    TICK_REJECTED = "tickRejected"
    MIN_NOTIONAL_REJECTED = "minTradeNtlRejected"
    MARGIN_REJECTED = "perpMarginRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    POST_ONLY_REJECTED = "badAloPxRejected"
    TOO_MANY_REJECTED = "tooManyOpenOrdersRejected"
    IOC_REJECTED = "iocCancelRejected"
    TRIGGER_REJECTED = "badTriggerPxRejected"
    ORACLE_REJECTED = "oracleRejected"


class Grouping(StrEnum):
    """How the orders of one action are related."""

    NONE = "na"
    CHILDREN = "normalTpsl"
    POSITION = "positionTpsl"


class Trigger(NamedTuple):
    """The trigger of an order: the mark price reaches `px`."""

    px: Decimal
    is_market: bool
    is_take_profit: bool

    def fires_at(self, mark: Decimal, is_buy: bool) -> bool:
        """Whether it fires at this mark: a take-profit at a better price, a stop at a worse one."""
        return mark <= self.px if is_buy == self.is_take_profit else mark >= self.px

    def condition(self, is_buy: bool) -> str:
        """Describe it as the venue's frontend does."""
        return f"Price {'below' if is_buy == self.is_take_profit else 'above'} {self.px.normalize():f}"


class OrderSpec(NamedTuple):
    """An order as requested by a client."""

    asset: int
    is_buy: bool
    px: Decimal
    size: Decimal
    reduce_only: bool = False
    tif: Tif = Tif.GTC
    trigger: Trigger | None = None
    cloid: str | None = None


@dataclass(slots=True)
class Order:
    """An order and its state; the size of a reduce-only order may be below the requested one."""

    oid: int
    owner: str
    coin: str
    spec: OrderSpec
    placed_at: int
    size: Decimal
    status: Status
    status_at: int
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    awaits_trigger: bool = False
    """Whether its trigger has not fired yet."""
    whole_position: bool = False
    parent: int | None = None
    """The order that must be filled first."""
    children: list[int] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        """The unfilled size."""
        return self.size - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in {Status.OPEN, Status.TRIGGERED}

    @property
    def rests(self) -> bool:
        """Whether it is in the book."""
        return self.is_open and not self.awaits_trigger and self.parent is None

    def crosses(self, px: Decimal) -> bool:
        """Whether it can trade at this price."""
        return self.spec.px >= px if self.spec.is_buy else self.spec.px <= px
