"""An order: what was asked for, and what has become of it."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from strandline_sim.hyperliquid.numbers import ZERO


class Tif(StrEnum):
    """How long it may stand."""

    GTC = "Gtc"
    IOC = "Ioc"
    ALO = "Alo"


class Status(StrEnum):
    """The venue's own words, those that can happen here."""

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
    IOC_REJECTED = "iocCancelRejected"
    TRIGGER_REJECTED = "badTriggerPxRejected"
    ORACLE_REJECTED = "oracleRejected"


class Grouping(StrEnum):
    """How the orders of one action hang together."""

    NONE = "na"
    CHILDREN = "normalTpsl"
    POSITION = "positionTpsl"


class Trigger(NamedTuple):
    """Sleeps until the mark price comes to `px`."""

    px: Decimal
    is_market: bool
    is_take_profit: bool

    def woken_by(self, mark: Decimal, is_buy: bool) -> bool:
        """Take profits wait for a better price, stops for a worse one."""
        return mark <= self.px if is_buy == self.is_take_profit else mark >= self.px

    def condition(self, is_buy: bool) -> str:
        """As the venue's frontend says it."""
        return f"Price {'below' if is_buy == self.is_take_profit else 'above'} {self.px.normalize():f}"


class OrderSpec(NamedTuple):
    """What a client asks for."""

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
    """Its life. `size` may shrink below what was asked when it is reduce-only."""

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
    asleep: bool = False
    """A trigger that has not fired."""
    whole_position: bool = False
    parent: int | None = None
    """It waits until this order has been filled."""
    children: list[int] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        """What is still to be done."""
        return self.size - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still do something."""
        return self.status in {Status.OPEN, Status.TRIGGERED}

    @property
    def rests(self) -> bool:
        """Whether it stands in the book."""
        return self.is_open and not self.asleep and self.parent is None

    def crosses(self, px: Decimal) -> bool:
        """Whether it would trade at this price."""
        return self.spec.px >= px if self.spec.is_buy else self.spec.px <= px
