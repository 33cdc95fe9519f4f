"""Sending a signed order, and finding out what became of it.

The venue takes a nonce once, and no order after its `expiresAfter`: that is what makes it harmless to send the same
bytes again, and what a doubtful order is killed with. The client order id only finds it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import Fill
from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.venues.hyperliquid.answers import Historical, OrderAnswer, OrderState, Refused, Reply, Status
from strandline.venues.hyperliquid.fills import fills_of, total
from strandline.venues.hyperliquid.plan_details import PlanDetails
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.signing import NOOP, Signer
from strandline.venues.hyperliquid.timeouts import Timeouts
from strandline.venues.hyperliquid.wire import instant
from strandline.venues.slippage import slippage_bps

_CERTAINLY_LATE: Final = timedelta(seconds=10)
_OPEN: Final = frozenset({"open", "triggered"})
_REJECTED: Final = "rejected"
_UNMATCHED: Final = frozenset({"iocCancelRejected", "marketOrderNoLiquidityRejected"})
_UNMATCHED_TEXTS: Final = ("could not immediately match", "No liquidity available")


class Submission(NamedTuple):
    """Of one order."""

    rest: Rest
    signer: Signer
    order: SignedOrder
    timeouts: Timeouts
    clock: Callable[[], datetime]

    def see_through(self) -> ExecutionResult:
        """Send it; where the answer leaves a doubt, find out, and kill it if it has not acted yet."""
        try:
            state = _state(self.rest.send(self.order.signed_bytes))
            if isinstance(state, OrderState):
                return self._told(state)
            doubt = state
        except Exception as error:  # noqa: BLE001  the bytes may have left, and that is what must be told
            doubt = f"{type(error).__name__}: {error}"
        found = self.recover()
        if isinstance(found, StillUnknown):
            return self._result(OrderStatus.UNKNOWN, error=f"{doubt}; {found.reason}")
        return found

    def recover(self) -> ExecutionResult | StillUnknown:
        """Look for it; while nobody knows it, see to it that it can never act, and look again."""
        try:
            known = self._look()
            if known is not None:
                return self._became(known)
            may_act = self._may_still_act()
            known = self._look()
            if known is not None:
                return self._became(known)
            return self._vanished() if may_act is None else self._unknown(may_act)
        except Exception as error:  # noqa: BLE001  whatever it was, nothing is known
            return self._unknown(f"{type(error).__name__}: {error}")

    def _told(self, state: OrderState) -> ExecutionResult:
        """What the answer says for certain: the order acted or was refused, and its nonce is used either way."""
        if state.filled is not None:
            return self._filled(state.filled.oid, Quantity(state.filled.total_sz))
        unmatched = any(text in (state.error or "") for text in _UNMATCHED_TEXTS)
        return self._result(OrderStatus.UNFILLED if unmatched else OrderStatus.REJECTED, error=state.error)

    def _look(self) -> Historical | None:
        answer = self.rest.ask(OrderAnswer, type="orderStatus", user=self.order.address, oid=self.order.client_order_id)
        return answer.order

    def _may_still_act(self) -> str | None:
        """Why it may; None when it is too late for it by both clocks, or when its nonce was free until just now."""
        venue_time = instant(self.rest.ask(Status, type="exchangeStatus").time)
        if min(venue_time, self.clock()) > self.order.plan.deadline + _CERTAINLY_LATE:
            return None
        if self.order.nonce is None:
            raise ValueError("an order on Hyperliquid has a nonce")
        reply = self.rest.send(self.signer.body(NOOP, self.order.nonce))
        return reply.response if isinstance(reply, Refused) else None

    def _became(self, known: Historical) -> ExecutionResult | StillUnknown:
        """An order that trades at once or never has come to its end; how much it traded shows in what it left."""
        if known.status in _OPEN:
            return self._unknown("it is still open")
        rejected = known.status.lower().endswith(_REJECTED)
        traded = Quantity(0) if rejected else Quantity(known.order.orig_sz) - Quantity(known.order.sz)
        if traded:
            return self._filled(known.order.oid, traded)
        refused = rejected and known.status not in _UNMATCHED
        status = OrderStatus.REJECTED if refused else OrderStatus.UNFILLED
        return self._result(status, oid=known.order.oid, error=known.status)

    def _filled(self, oid: int, quantity: Quantity) -> ExecutionResult:
        """The venue lists fills a moment after it has told of them."""
        fills: tuple[Fill, ...] = ()
        for look in range(self.timeouts.looks):
            if look:
                self.timeouts.sleep(self.timeouts.pause)
            fills = fills_of(self.rest, self.order, oid)
            if total(fills) == quantity:
                return self._result(OrderStatus.FILLED, oid=oid, fills=fills)
        raise HyperliquidError(f"{quantity} was traded, and fills of {total(fills)} are listed")

    def _vanished(self) -> ExecutionResult:
        """The venue may forget an order sooner than its fills."""
        fills = fills_of(self.rest, self.order)
        if fills:
            return self._result(OrderStatus.FILLED, fills=fills)
        return self._result(OrderStatus.DEAD, error="it never acted, and cannot any more")

    def _unknown(self, reason: str) -> StillUnknown:
        return StillUnknown(order_id=self.order.order_id, reason=reason, seen_at=self.clock())

    def _result(
        self,
        status: OrderStatus,
        *,
        oid: int | None = None,
        fills: tuple[Fill, ...] = (),
        error: str | None = None,
    ) -> ExecutionResult:
        reference = PlanDetails.of(self.order.plan.details).reference_price
        average = _average(fills) if fills else None
        return ExecutionResult(
            order_id=self.order.order_id,
            status=status,
            venue_order_id=None if oid is None else str(oid),
            fills=fills,
            filled=total(fills),
            average_price=average,
            slippage_bps=None if average is None else slippage_bps(average, reference, self.order.plan.side),
            fees=sum((fill.fee for fill in fills), Money(0)),
            error=error,
            seen_at=self.clock(),
        )


def _state(reply: Reply) -> OrderState | str:
    """What became of the one order, or what was said instead.

    A request that was refused as a whole has not used its nonce for certain, so that it could be taken another time.
    """
    if isinstance(reply, Refused):
        return reply.response
    states = reply.response.data.statuses if reply.response.data is not None else []
    match states:
        case [OrderState() as state] if state.filled is not None or state.error is not None:
            return state
    return f"it was answered with {states}"


def _average(fills: tuple[Fill, ...]) -> Price:
    return sum((fill.notional for fill in fills), Money(0)).per(total(fills))
