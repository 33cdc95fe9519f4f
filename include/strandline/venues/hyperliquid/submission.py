"""Submits a signed order and determines its outcome.

The venue accepts a nonce once, and no order after its `expiresAfter`. So the same bytes can safely be sent again, and
an order in doubt is invalidated by using up its nonce. The client order id only serves to find it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import Fill
from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.venues.hyperliquid.fills import fills_of, total
from strandline.venues.hyperliquid.plan_details import PlanDetails
from strandline.venues.hyperliquid.responses import Historical, OrderState, OrderStatusResponse, Refused, Reply, Status
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.signing import NOOP, Signer
from strandline.venues.hyperliquid.timeouts import Timeouts
from strandline.venues.hyperliquid.wire import instant
from strandline.venues.slippage import slippage_bps

_EXPIRY_MARGIN: Final = timedelta(seconds=10)
_OPEN: Final = frozenset({"open", "triggered"})
_REJECTED: Final = "rejected"
_UNMATCHED: Final = frozenset({"iocCancelRejected", "marketOrderNoLiquidityRejected"})
_UNMATCHED_TEXTS: Final = ("could not immediately match", "No liquidity available")


class Submission(NamedTuple):
    """The submission of one order."""

    rest: Rest
    signer: Signer
    order: SignedOrder
    timeouts: Timeouts
    clock: Callable[[], datetime]

    def submit(self) -> ExecutionResult:
        """Send the order; recover it if the response is not certain."""
        try:
            state = _order_state(self.rest.send(self.order.signed_bytes))
            if isinstance(state, OrderState):
                return self._from_response(state)
            doubt = state
        except Exception as error:  # noqa: BLE001  the order may have been sent, so its outcome is in doubt
            doubt = f"{type(error).__name__}: {error}"
        found = self.recover()
        if isinstance(found, StillUnknown):
            return self._result(OrderStatus.UNKNOWN, error=f"{doubt}; {found.reason}")
        return found

    def recover(self) -> ExecutionResult | StillUnknown:
        """Look the order up; if it is unknown, make sure that it can never act, and look it up again."""
        try:
            known = self._order_status()
            if known is not None:
                return self._from_status(known)
            doubt = self._invalidate()
            known = self._order_status()
            if known is not None:
                return self._from_status(known)
            return self._from_fills() if doubt is None else self._unknown(doubt)
        except Exception as error:  # noqa: BLE001  after any error the outcome is unknown
            return self._unknown(f"{type(error).__name__}: {error}")

    def _from_response(self, state: OrderState) -> ExecutionResult:
        """Read a response that is certain: the order acted or was refused, and its nonce is used either way."""
        if state.filled is not None:
            return self._filled(state.filled.oid, Quantity(state.filled.total_sz))
        unmatched = any(text in (state.error or "") for text in _UNMATCHED_TEXTS)
        return self._result(OrderStatus.UNFILLED if unmatched else OrderStatus.REJECTED, error=state.error)

    def _order_status(self) -> Historical | None:
        return self.rest.request(
            OrderStatusResponse, type="orderStatus", user=self.order.address, oid=self.order.client_order_id
        ).order

    def _invalidate(self) -> str | None:
        """Make sure that it can never act: it expired by both clocks, or its nonce was free. Else return why not."""
        venue_time = instant(self.rest.request(Status, type="exchangeStatus").time)
        if min(venue_time, self.clock()) > self.order.plan.deadline + _EXPIRY_MARGIN:
            return None
        if self.order.nonce is None:
            raise ValueError("an order on Hyperliquid has a nonce")
        reply = self.rest.send(self.signer.body(NOOP, self.order.nonce))
        return reply.response if isinstance(reply, Refused) else None

    def _from_status(self, known: Historical) -> ExecutionResult | StillUnknown:
        """Read the status of an IOC order, which is final; it traded what is missing from its original size."""
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
        """Wait until the fills are listed, which takes the venue a moment."""
        fills: tuple[Fill, ...] = ()
        for poll in range(self.timeouts.fill_polls):
            if poll:
                self.timeouts.sleep(self.timeouts.pause)
            fills = fills_of(self.rest, self.order, oid)
            if total(fills) == quantity:
                return self._result(OrderStatus.FILLED, oid=oid, fills=fills)
        raise HyperliquidError(f"{quantity} was traded, and fills of {total(fills)} are listed")

    def _from_fills(self) -> ExecutionResult:
        """Decide by the fills alone: the venue may forget an order sooner than its fills."""
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


def _order_state(reply: Reply) -> OrderState | str:
    """Return the state of the one order, or the text of a reply without one.

    A request that was refused as a whole may not have used its nonce, so it could still be accepted later.
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
