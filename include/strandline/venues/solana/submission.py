"""Submits a signed swap and determines its outcome."""

from collections.abc import Callable
from datetime import datetime

from strandline.model.exact import Money, Quantity
from strandline.model.fill import CashEvent, Fill
from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.venues.slippage import slippage_bps
from strandline.venues.solana.expiry import can_never_land
from strandline.venues.solana.node import CONFIRMED, FINALIZED, Node, NodeError, Status
from strandline.venues.solana.plan_details import PlanDetails
from strandline.venues.solana.swap_result import UnexpectedEffectsError, costs_of, fill_of
from strandline.venues.solana.timeouts import Timeouts


class Submission:
    """The submission of one order. Its bytes may be sent any number of times: the chain accepts a signature once."""

    def __init__(self, node: Node, order: SignedOrder, timeouts: Timeouts, clock: Callable[[], datetime]) -> None:
        if order.signature is None:
            raise ValueError("an order on Solana has a signature")
        self._signature = order.signature
        self._node = node
        self._order = order
        self._timeouts = timeouts
        self._clock = clock

    async def submit(self) -> ExecutionResult:
        """Send the swap until its outcome is known; after the timeout it is unknown."""
        begun = self._timeouts.elapsed()
        next_send, trouble = begun, "it was sent, and is not in a block yet"
        while True:
            now = self._timeouts.elapsed()
            try:
                if now >= next_send:
                    next_send = now + self._timeouts.resend
                    await self._node.send(self._order.signed_bytes)
                if (result := await self._outcome()) is not None:
                    return result
            except Exception as error:  # noqa: BLE001  the order may have been sent, so its outcome is in doubt
                trouble = f"{type(error).__name__}: {error}"
            if now - begun >= self._timeouts.order:
                return self._result(OrderStatus.UNKNOWN, error=trouble)
            await self._timeouts.sleep(self._timeouts.pause)

    async def recover(self) -> ExecutionResult | StillUnknown:
        """Search its status in the whole history; while it may still land, send the same bytes once more."""
        try:
            if (result := await self._outcome(search_history=True)) is not None:
                return result
            if await can_never_land(self._node, self._order, self._timeouts):
                return self._result(OrderStatus.DEAD, error="it can never land any more")
            await self._node.send(self._order.signed_bytes)
            reason = f"not settled yet; it may land up to block {self._order.last_valid_height}"
        except (NodeError, UnexpectedEffectsError) as error:
            reason = str(error)
        return StillUnknown(order_id=self._order.order_id, reason=reason, seen_at=self._clock())

    async def _outcome(self, *, search_history: bool = False) -> ExecutionResult | None:
        """Return the outcome: a swap once confirmed, a failure once finalized, because another order follows it."""
        status = (await self._node.signature_status(self._signature, search_history=search_history)).status
        if status is None or not _settled(status):
            return None
        transaction = await self._node.transaction(self._signature)
        if transaction is None:
            return None
        seen_at = self._clock()
        costs = costs_of(self._order, transaction, seen_at)
        if transaction.meta.err is not None:
            return self._result(OrderStatus.UNFILLED, costs=costs, error=f"it failed with {transaction.meta.err}")
        return self._result(OrderStatus.FILLED, fill=fill_of(self._order, transaction, seen_at), costs=costs)

    def _result(
        self,
        status: OrderStatus,
        *,
        fill: Fill | None = None,
        costs: tuple[CashEvent, ...] = (),
        error: str | None = None,
    ) -> ExecutionResult:
        reference = PlanDetails.of(self._order.plan.details).reference_price
        return ExecutionResult(
            order_id=self._order.order_id,
            status=status,
            venue_order_id=self._signature,
            fills=() if fill is None else (fill,),
            filled=Quantity(0) if fill is None else fill.quantity,
            average_price=None if fill is None else fill.price,
            slippage_bps=None if fill is None else slippage_bps(fill.price, reference, fill.side),
            fees=Money(0),
            error=error,
            seen_at=self._clock(),
            cash_events=costs,
        )


def _settled(status: Status) -> bool:
    return status.confirmation_status in ((CONFIRMED, FINALIZED) if status.err is None else (FINALIZED,))
