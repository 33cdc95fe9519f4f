"""Fills orders by arithmetic on the venue's real prices. Nothing is sent anywhere."""

from strandline.model.canonical import canonical_bytes
from strandline.model.exact import Money, Quantity
from strandline.model.fill import Fill
from strandline.model.intent import ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.model.venue import VenueKey
from strandline.venues.config import VenueConfig
from strandline.venues.executor import Observer
from strandline.venues.paper.account import address_of
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.paper.matching import fill_of
from strandline.venues.paper.plan_details import PlanDetails
from strandline.venues.paper.preparation import prepared
from strandline.venues.slippage import slippage_bps


class PaperExecutor:
    """One account at one venue."""

    takes_nonce = False

    def __init__(self, venue: VenueKey, config: VenueConfig, observer: Observer, costs: PaperCosts) -> None:
        self._venue = venue
        self._config = config
        self._observer = observer
        self._costs = costs

    @property
    def venue(self) -> VenueKey:
        """Whose prices."""
        return self._venue

    @property
    def address(self) -> str:
        """See `address_of`."""
        return address_of(self._config)

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """See `prepared`."""
        quote = self._observer.quote(intent.token_contract)
        return prepared(intent, position, attempt, quote, self._costs, self._config.clock())

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Nobody has to be convinced: the bytes are the plan."""
        if nonce is not None:
            raise ValueError("orders on paper take no nonce")
        return SignedOrder(
            plan=plan,
            address=self.address,
            client_order_id=f"paper:{plan.order_id}",
            nonce=None,
            signature=None,
            signed_bytes=canonical_bytes(plan),
            last_valid_height=None,
        )

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Up to its deadline it is filled, always by the same fill; after it, never."""
        if self._config.clock() > order.plan.deadline:
            return self._result(order, OrderStatus.DEAD, error="it came after its deadline")
        fill = fill_of(order, self._costs)
        if fill is None:
            return self._result(order, OrderStatus.UNFILLED, error="its limit is beyond the price")
        return self._result(order, OrderStatus.FILLED, fill=fill)

    def recover(self, order: SignedOrder) -> ExecutionResult:
        """There is no venue that could know more than the order does."""
        return self.execute(order)

    def close(self) -> None:
        """Let go of connections."""
        self._observer.close()

    def _result(
        self, order: SignedOrder, status: OrderStatus, *, fill: Fill | None = None, error: str | None = None
    ) -> ExecutionResult:
        reference = PlanDetails.of(order.plan.details).reference_price
        return ExecutionResult(
            order_id=order.order_id,
            status=status,
            venue_order_id=order.client_order_id,
            fills=() if fill is None else (fill,),
            filled=Quantity(0) if fill is None else fill.quantity,
            average_price=None if fill is None else fill.price,
            slippage_bps=None if fill is None else slippage_bps(fill.price, reference, order.plan.side),
            fees=Money(0) if fill is None else fill.fee,
            error=error,
            seen_at=self._config.clock(),
        )
