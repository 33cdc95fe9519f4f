"""Executes on paper: computes fills from the venue's real prices and sends nothing."""

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
from strandline.venues.paper.matching import compute_fill
from strandline.venues.paper.plan_details import PlanDetails
from strandline.venues.paper.preparation import plan_order
from strandline.venues.slippage import slippage_bps


class PaperExecutor:
    """Executes for the paper account at one venue."""

    takes_nonce = False

    def __init__(self, venue: VenueKey, config: VenueConfig, observer: Observer, costs: PaperCosts) -> None:
        self._venue = venue
        self._config = config
        self._observer = observer
        self._costs = costs

    @property
    def venue(self) -> VenueKey:
        """The venue whose prices are used."""
        return self._venue

    @property
    def address(self) -> str:
        """The paper account's address."""
        return address_of(self._config)

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Get a quote, and plan an order at it."""
        quote = self._observer.quote(intent.token_contract)
        return plan_order(intent, position, attempt, quote, self._costs, self._config.clock())

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Wrap the plan; its bytes are the order, and there is no signature."""
        if nonce is not None:
            raise ValueError("paper orders take no nonce")
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
        """Fill the order, always with the same fill; after its deadline it is dead."""
        if self._config.clock() > order.plan.deadline:
            return self._result(order, OrderStatus.DEAD, error="its deadline has passed")
        fill = compute_fill(order, self._costs)
        if fill is None:
            return self._result(order, OrderStatus.UNFILLED, error="the price is beyond its limit")
        return self._result(order, OrderStatus.FILLED, fill=fill)

    def recover(self, order: SignedOrder) -> ExecutionResult:
        """Execute again: the result depends on the order alone."""
        return self.execute(order)

    def close(self) -> None:
        """Close connections."""
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
