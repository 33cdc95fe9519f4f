"""Plans a paper order for an intent, or says why it is skipped.

There is no margin, leverage or gas on paper; the planner has checked the cash.
"""

from datetime import datetime
from decimal import Decimal

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.intent import ExecutionIntent
from strandline.model.mark import Quote
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.side import Side
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.paper.plan_details import PlanDetails


def plan_order(
    intent: ExecutionIntent, position: Position, attempt: int, quote: Quote, costs: PaperCosts, now: datetime
) -> ExecutionPlan:
    """Plan an order that trades at once within the intent's slippage budget; raises `SkipExecution`."""
    if now >= intent.expires_at:
        raise SkipExecution("expired", f"the intent was valid until {intent.expires_at:%H:%M:%S}")
    budget = Decimal(intent.max_slippage_bps).scaleb(-4)
    if intent.side is Side.BUY:
        _refuse_drift(intent, quote, budget)
        limit = intent.decision_price.scaled(Ratio(1 + budget))
        quantity = (intent.notional or Money(0)).buys(limit, costs.lot)
    else:
        limit = _limit_below(quote.bid, 1 - budget)
        quantity = _to_sell(intent, position).in_lots(costs.lot)
    if limit * quantity < costs.min_notional:
        raise SkipExecution("dust" if intent.reduce_only else "min_notional", f"{quantity} is worth too little")
    details = PlanDetails(reference_price=intent.decision_price, bid=quote.bid, ask=quote.ask)
    return ExecutionPlan(
        intent_id=intent.intent_id,
        attempt=attempt,
        venue=intent.venue,
        token_contract=intent.token_contract,
        side=intent.side,
        kind=OrderKind.PAPER,
        quantity=quantity,
        limit_price=limit,
        reduce_only=intent.reduce_only,
        prepared_at=now,
        deadline=intent.expires_at,
        details=details.details(),
    )


def _refuse_drift(intent: ExecutionIntent, quote: Quote, budget: Decimal) -> None:
    middle = (quote.bid.decimal + quote.ask.decimal) / 2
    decided = intent.decision_price.decimal
    if abs(middle - decided) > budget * decided:
        raise SkipExecution("price_drift", f"the price is {middle:f}, decided at {intent.decision_price}")


def _limit_below(price: Price, share: Decimal) -> Price:
    if share <= 0:
        raise SkipExecution("rounding", "no price above zero is within the budget")
    return price.scaled(Ratio(share))


def _to_sell(intent: ExecutionIntent, position: Position) -> Quantity:
    held = position.holding.quantity
    if not held:
        raise SkipExecution("nothing_to_sell", "the row is flat")
    return held if intent.exit_reason is not None else min(intent.quantity or Quantity(0), held)
