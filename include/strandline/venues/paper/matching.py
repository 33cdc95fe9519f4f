"""Computes the fill of a paper order from the order alone, so that executing it again gives the same fill."""

from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

from strandline.model.exact import Money, Price, Quantity
from strandline.model.fill import Fill, FillCause
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.side import Side
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.paper.plan_details import PlanDetails

_PRECISION: Final = Context(prec=18)
_MICRO: Final = Decimal("0.000001")


def compute_fill(order: SignedOrder, costs: PaperCosts) -> Fill | None:
    """Fill all of it, or as much as there is volume for; None if the price would be beyond the limit."""
    plan = order.plan
    details = PlanDetails.of(plan.details)
    best = details.ask if plan.side is Side.BUY else details.bid
    quantity = min(plan.quantity, costs.max_notional.buys(best, costs.lot))
    price = _price(best, quantity, plan.side, costs)
    if not quantity or _beyond_limit(price, plan):
        return None
    return Fill(
        venue=plan.venue,
        venue_fill_id=f"paper:{order.order_id}",
        order_id=order.order_id,
        token_contract=plan.token_contract,
        side=plan.side,
        price=price,
        quantity=quantity,
        fee=Money((price * quantity * costs.fee).decimal.quantize(_MICRO, ROUND_DOWN)),
        cause=FillCause.ORDER,
        ts=plan.prepared_at,
    )


def _price(best: Price, quantity: Quantity, side: Side, costs: PaperCosts) -> Price:
    share = (best * quantity).decimal / costs.max_notional.decimal
    slippage = costs.slippage * share
    return Price(_PRECISION.multiply(best.decimal, 1 + slippage if side is Side.BUY else 1 - slippage))


def _beyond_limit(price: Price, plan: ExecutionPlan) -> bool:
    return price > plan.limit_price if plan.side is Side.BUY else price < plan.limit_price
