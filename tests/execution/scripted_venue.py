"""A venue whose behaviour towards each request is scripted: it fills, rejects, loses a request or a response."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from itertools import chain
from uuid import UUID

from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.fill import CashCause, CashEvent, Fill, FillCause
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.mark import Mark, Quote
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.model.side import Side
from strandline.model.venue import VenueKey

LOT = Quantity("0.001")
MINIMUM = Money(10)
OPENED_WITH = Money(10_000)
ADDRESS = "0xabc"


class Behaviour(Enum):
    """How the venue responds to one request."""

    FILLS = auto()
    FILLS_IN_PARTS = auto()
    FILLS_HALF = auto()
    FILLS_NEARLY = auto()
    NO_MATCH = auto()
    REJECTS = auto()
    LOSES_REQUEST = auto()
    LOSES_RESPONSE = auto()
    REPORTS_PART = auto()
    SKIPS = auto()
    IS_DOWN = auto()
    STILL_UNKNOWN = auto()


PARTS: Mapping[Behaviour, tuple[Decimal, ...]] = {
    Behaviour.FILLS: (Decimal(1),),
    Behaviour.FILLS_IN_PARTS: (Decimal("0.5"), Decimal("0.49"), Decimal("0.01")),
    Behaviour.FILLS_HALF: (Decimal("0.5"),),
    Behaviour.FILLS_NEARLY: (Decimal("0.6"), Decimal("0.39")),
    Behaviour.LOSES_RESPONSE: (Decimal("0.7"), Decimal("0.3")),
    Behaviour.REPORTS_PART: (Decimal("0.95"), Decimal("0.05")),
}


class CutConnectionError(Exception):
    """An error such as client libraries raise."""


@dataclass
class ScriptedVenue:
    """The venue's side: accepted orders and the balances of the account."""

    key: VenueKey
    margined: bool
    clock: Callable[[], datetime]
    price: Decimal = Decimal(100)
    accepted: dict[UUID, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    quantity: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    dollars: Decimal = OPENED_WITH.decimal
    gas: Decimal = Decimal(1)
    moved: list[CashEvent] = field(default_factory=list)
    _results: dict[bytes, ExecutionResult] = field(default_factory=dict)
    _burned: set[bytes] = field(default_factory=set)

    def take(self, order: SignedOrder, behaviour: Behaviour) -> ExecutionResult:
        """Execute these bytes once; bytes whose nonce was invalidated are rejected."""
        if order.signed_bytes in self._results:
            return self._results[order.signed_bytes]
        if order.signed_bytes in self._burned:
            return result(order, OrderStatus.REJECTED, self.clock(), error="nonce was used")
        self.accepted[order.plan.intent_id].append(order.order_id)
        fills = self._fills(order, PARTS.get(behaviour, ()))
        events = (self._gas(order),) if not self.margined else ()
        status = OrderStatus.FILLED if fills else OrderStatus.UNFILLED
        reported = result(order, status, self.clock(), fills=fills, events=events)
        self._results[order.signed_bytes] = reported
        return reported

    def final_result(self, order: SignedOrder) -> ExecutionResult:
        """Return the order's result; an order that never arrived is dead from now on."""
        if order.signed_bytes not in self._results:
            self._burned.add(order.signed_bytes)
            return result(order, OrderStatus.DEAD, self.clock(), error="never arrived")
        return self._results[order.signed_bytes]

    def _fills(self, order: SignedOrder, parts: tuple[Decimal, ...]) -> tuple[Fill, ...]:
        whole = order.plan.quantity
        quantities = [Quantity(whole.decimal * part).in_lots(LOT) for part in parts]
        if sum(parts) == 1:
            rest = whole.decimal - sum(quantity.decimal for quantity in quantities[:-1])
            quantities[-1] = Quantity(rest)
        return tuple(
            self._fill(order, number, quantity) for number, quantity in enumerate(quantities) if quantity.decimal > 0
        )

    def _fill(self, order: SignedOrder, number: int, quantity: Quantity) -> Fill:
        price = Price(self.price + number)
        dollars = price * quantity
        if not self.margined:
            dollars = Money(round(dollars.decimal * Decimal("1.00031"), 6))
            price = dollars.per(quantity)
        fee = Money(round(dollars.decimal * Decimal("0.00045"), 6))
        sign = 1 if order.plan.side is Side.BUY else -1
        self.quantity[order.plan.token_contract] += sign * quantity.decimal
        self.dollars -= sign * dollars.decimal + fee.decimal
        return Fill(
            venue=self.key,
            venue_fill_id=f"{order.client_order_id}/{number}",
            order_id=order.order_id,
            token_contract=order.plan.token_contract,
            side=order.plan.side,
            price=price,
            quantity=quantity,
            fee=fee,
            cause=FillCause.ORDER,
            ts=self.clock() + timedelta(milliseconds=number),
        )

    def _gas(self, order: SignedOrder) -> CashEvent:
        self.gas -= Decimal("0.000005")
        return CashEvent(
            venue=self.key,
            venue_event_id=f"gas/{order.client_order_id}",
            cause=CashCause.GAS,
            asset="SOL",
            amount=Amount("-0.000005"),
            usd=Money("-0.001"),
            ts=self.clock(),
        )

    # As an observer.

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Return the balances as opening deposits."""
        events = [self.event("opening/USDC", CashCause.DEPOSIT, Amount(self.dollars))]
        if not self.margined:
            events.append(self.event("opening/SOL", CashCause.DEPOSIT, Amount(self.gas), asset="SOL"))
        return tuple(events)

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Return what moved since, and a little more, as venues do."""
        return tuple(event for event in self.moved if event.ts >= since - timedelta(minutes=15))

    def move(self, name: str, cause: CashCause, dollars: Decimal) -> None:
        """Move cash without an order."""
        self.dollars += dollars
        self.moved.append(self.event(name, cause, Amount(dollars)))

    def event(self, name: str, cause: CashCause, amount: Amount, asset: str = "USDC") -> CashEvent:
        """Build a cash event that happens now."""
        usd = Money(amount.decimal * (150 if asset == "SOL" else 1))
        return CashEvent(
            venue=self.key, venue_event_id=name, cause=cause, asset=asset, amount=amount, usd=usd, ts=self.clock()
        )

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """Not needed here."""
        raise NotImplementedError

    def quote(self, token_contract: str) -> Quote:
        """Not needed here."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""


def always(behaviour: Behaviour = Behaviour.FILLS) -> Iterator[Behaviour]:
    """Yield the same behaviour for every request."""
    while True:
        yield behaviour


def first(*behaviours: Behaviour) -> Iterator[Behaviour]:
    """Yield these behaviours, then fills."""
    return chain(behaviours, always())


@dataclass
class ScriptedExecutor:
    """One process's executor. Each iterator gives the venue's behaviour towards the next request of its kind."""

    venue_state: ScriptedVenue
    prepares: Iterator[Behaviour] = field(default_factory=always)
    executes: Iterator[Behaviour] = field(default_factory=always)
    recovers: Iterator[Behaviour] = field(default_factory=always)
    address: str = ADDRESS
    sent: list[UUID] = field(default_factory=list)

    @property
    def venue(self) -> VenueKey:
        """The venue's key."""
        return self.venue_state.key

    @property
    def takes_nonce(self) -> bool:
        """Whether orders have nonces: on margin, as at Hyperliquid."""
        return self.venue_state.margined

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Plan to sell what is held, or to buy for the notional."""
        behaviour = next(self.prepares)
        if behaviour is Behaviour.SKIPS:
            raise SkipExecution("market_closed", "until Monday")
        if behaviour is Behaviour.IS_DOWN:
            raise CutConnectionError
        now = self.venue_state.clock()
        return ExecutionPlan(
            intent_id=intent.intent_id,
            attempt=attempt,
            venue=self.venue,
            token_contract=intent.token_contract,
            side=intent.side,
            kind=OrderKind.IOC,
            quantity=_quantity(intent, position, Price(self.venue_state.price)),
            limit_price=Price(self.venue_state.price),
            reduce_only=intent.reduce_only,
            prepared_at=now,
            deadline=now + timedelta(seconds=30),
            details={},
        )

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Make bytes that differ with plan and nonce."""
        return SignedOrder(
            plan=plan,
            address=self.address,
            client_order_id=str(plan.order_id),
            nonce=nonce,
            signature=None if self.takes_nonce else f"signature of {plan.order_id}",
            signed_bytes=f"{plan.order_id} {nonce} {plan.quantity}".encode(),
            last_valid_height=None,
        )

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Send the order; the venue shows its next behaviour."""
        self.sent.append(order.order_id)
        behaviour = next(self.executes)
        if behaviour is Behaviour.LOSES_REQUEST:
            return result(order, OrderStatus.UNKNOWN, self.venue_state.clock(), error="timed out")
        if behaviour is Behaviour.REJECTS:
            return result(order, OrderStatus.REJECTED, self.venue_state.clock(), error="margin")
        reported = self.venue_state.take(order, behaviour)
        if behaviour is Behaviour.LOSES_RESPONSE:
            raise CutConnectionError
        if behaviour is Behaviour.REPORTS_PART and reported.fills:
            return result(
                order, OrderStatus.UNKNOWN, self.venue_state.clock(), fills=reported.fills[:1], error="cut short"
            )
        return reported

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Return the order's result, unless the venue is down or does not know yet."""
        behaviour = next(self.recovers)
        if behaviour is Behaviour.IS_DOWN:
            raise CutConnectionError
        if behaviour is Behaviour.STILL_UNKNOWN:
            return StillUnknown(order_id=order.order_id, reason="not final yet", seen_at=self.venue_state.clock())
        return self.venue_state.final_result(order)

    def close(self) -> None:
        """Nothing to close."""


def result(
    order: SignedOrder,
    status: OrderStatus,
    now: datetime,
    *,
    fills: tuple[Fill, ...] = (),
    events: tuple[CashEvent, ...] = (),
    error: str | None = None,
) -> ExecutionResult:
    """Build a result with the sums of its fills."""
    filled, paid, fees = Quantity(0), Money(0), Money(0)
    for fill in fills:
        filled, paid, fees = filled + fill.quantity, paid + fill.notional, fees + fill.fee
    return ExecutionResult(
        order_id=order.order_id,
        status=status,
        venue_order_id=None if status is OrderStatus.DEAD else "1",
        fills=fills,
        filled=filled,
        average_price=paid.per(filled) if filled else None,
        slippage_bps=None,
        fees=fees,
        error=error,
        seen_at=now,
        cash_events=events,
    )


def _quantity(intent: ExecutionIntent, position: Position, price: Price) -> Quantity:
    if intent.notional is not None:
        wanted = intent.notional.buys(price, LOT)
    elif intent.decision is Decision.TRIM and intent.quantity is not None:
        wanted = min(intent.quantity, position.holding.quantity).in_lots(LOT)
    else:
        wanted = position.holding.quantity.in_lots(LOT)
    if not wanted:
        raise SkipExecution("dust")
    return wanted
