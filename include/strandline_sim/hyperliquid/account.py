"""An account: cash, positions and orders.

`cash` is the venue's raw USD: a buy subtracts the whole notional, a sell adds it, so that equity is cash plus positions
at mark, without rounding. Isolated positions have raw USD of their own.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from strandline_sim.hyperliquid.numbers import ZERO, to_usdc
from strandline_sim.hyperliquid.orders import Order, Status

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def address_in(value: object) -> str | None:
    """Convert an address to lower case, as accounts are stored; None if it is not one."""
    return value.lower() if isinstance(value, str) and _ADDRESS.fullmatch(value) else None


class Leverage(NamedTuple):
    """The leverage setting of one coin."""

    is_cross: bool
    value: int


class Liquidation(NamedTuple):
    """What a fill of a liquidation adds: the mark, and whether it went to the book or to the liquidator."""

    mark: Decimal
    method: Literal["market", "backstop"]


class Fill(NamedTuple):
    """A fill of an account, as the venue reports it."""

    coin: str
    px: Decimal
    size: Decimal
    is_buy: bool
    time: int
    start_position: Decimal
    direction: str
    closed_pnl: Decimal
    hash: str
    oid: int
    crossed: bool
    fee: Decimal
    tid: int
    cloid: str | None
    liquidation: Liquidation | None = None


class FundingPayment(NamedTuple):
    """The hourly funding of a position; negative if paid."""

    time: int
    coin: str
    usdc: Decimal
    size: Decimal
    rate: Decimal
    hash: str


class Transfer(NamedTuple):
    """Cash that is deposited, or taken over by the liquidator."""

    time: int
    usdc: Decimal
    kind: str
    hash: str


class LiquidationStart(NamedTuple):
    """The start of a liquidation: the sizes of its positions, and what they and the account are worth."""

    time: int
    positions: dict[str, Decimal]
    notional: Decimal
    account_value: Decimal
    is_cross: bool
    hash: str


class OrderUpdate(NamedTuple):
    """The status of an order at an instant."""

    order: Order
    status: Status
    at: int


class FillEffect(NamedTuple):
    """The effect of a fill on its position."""

    start_position: Decimal
    closed_pnl: Decimal


@dataclass(slots=True)
class Position:
    """A position; size and cost are signed, `isolated` is the raw USD of an isolated one."""

    size: Decimal = ZERO
    cost: Decimal = ZERO
    isolated: Decimal | None = None
    funding_ever: Decimal = ZERO
    funding_since_open: Decimal = ZERO
    funding_since_change: Decimal = ZERO
    liquidated_at: int | None = None

    def trade(self, signed: Decimal, px: Decimal) -> Decimal:
        """Change size and cost; return the realised profit."""
        closing = min(abs(signed), abs(self.size)) if signed * self.size < 0 else ZERO
        released = ZERO
        if closing:
            released = self.cost if closing == abs(self.size) else to_usdc(self.cost * closing / abs(self.size))
        sign = 1 if signed > 0 else -1
        opened = abs(signed) - closing
        if opened and closing == abs(self.size):
            self.funding_since_open = ZERO
        self.funding_since_change = ZERO
        self.size += signed
        self.cost += sign * opened * px - released
        return -sign * closing * px - released


@dataclass(slots=True)
class Account:
    """The account of one address."""

    address: str
    cash: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    leverages: dict[str, Leverage] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    oid_of_cloid: dict[str, int] = field(default_factory=dict)
    history: list[OrderUpdate] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    funding: list[FundingPayment] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    liquidations: list[LiquidationStart] = field(default_factory=list)
    volume: Decimal = ZERO
    cancel_all_at: int | None = None
    cancel_all_fired: dict[int, int] = field(default_factory=dict)
    """The number of scheduled cancels that fired, by day."""

    @property
    def balance(self) -> Decimal:
        """All raw USD, including that of isolated positions."""
        return self.cash + sum((p.isolated for p in self.positions.values() if p.isolated is not None), ZERO)

    @property
    def ledger_updates(self) -> list[Transfer | LiquidationStart]:
        """What the venue lists beside trades and funding, in order."""
        deposits = (transfer for transfer in self.transfers if transfer.kind == "deposit")
        return sorted([*deposits, *self.liquidations], key=lambda one: one.time)

    def known_at(self, instant: int) -> "Account":
        """Return the orders and fills as they were known at an instant; balances and positions are those of now."""
        history = [update for update in self.history if update.at <= instant]
        orders = {update.order.oid: update.order for update in history}
        return replace(
            self,
            history=history,
            orders=orders,
            open_orders={oid: order for oid, order in orders.items() if order.is_open},
            oid_of_cloid={cloid: oid for cloid, oid in self.oid_of_cloid.items() if oid in orders},
            fills=[fill for fill in self.fills if fill.time <= instant],
        )

    def booked(self) -> "Account":
        """Return a copy to which no later transfer, payment or fill is added."""
        return replace(self, transfers=[*self.transfers], funding=[*self.funding], fills=[*self.fills])

    def size_of(self, coin: str) -> Decimal:
        """Return the signed size of a position; zero when flat."""
        position = self.positions.get(coin)
        return position.size if position else ZERO

    def leverage_of(self, coin: str, max_leverage: int) -> Leverage:
        """Return the leverage setting; by default cross with the coin's maximum, at most 20."""
        return self.leverages.get(coin) or Leverage(is_cross=True, value=min(20, max_leverage))

    def trade(self, coin: str, signed: Decimal, px: Decimal, fee: Decimal, leverage: Leverage) -> FillEffect:
        """Book a fill: position, cash, and the margin of an isolated position."""
        position = self.positions.setdefault(coin, Position())
        before = position.size
        if leverage.is_cross:
            self.cash -= signed * px
        else:
            self._trade_isolated(position, signed, px, leverage.value)
        self.cash -= fee
        closed = position.trade(signed, px)
        if not position.size:
            position.isolated = None
        return FillEffect(before, closed)

    def _trade_isolated(self, position: Position, signed: Decimal, px: Decimal, leverage: int) -> None:
        raw = position.isolated or ZERO
        size = abs(position.size)
        closing = min(abs(signed), size) if signed * position.size < 0 else ZERO
        equity = raw + position.size * px
        freed = ZERO
        if closing:
            freed = equity if closing == size else max(to_usdc(equity * closing / size), ZERO)
        margin = to_usdc((abs(signed) - closing) * px / leverage)
        position.isolated = raw - signed * px - freed + margin
        self.cash += freed - margin
