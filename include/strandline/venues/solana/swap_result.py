"""What a landed swap did to the wallet, told as fills and cash events: by what balances changed, and nothing else."""

from datetime import UTC, datetime

from strandline.model.exact import Money
from strandline.model.fill import CashCause, CashEvent, Fill, FillCause
from strandline.model.order import SignedOrder
from strandline.model.side import Side
from strandline.venues.solana import units
from strandline.venues.solana.addresses import USDC
from strandline.venues.solana.node import Effects, Transaction
from strandline.venues.solana.plan_details import PlanDetails


class UnexpectedEffectsError(Exception):
    """The transaction landed, and did something else than swap."""


def fill_of(order: SignedOrder, transaction: Transaction, seen_at: datetime) -> Fill:
    """The swap as one fill. What the route charges is in the price; a token's own transfer fee too."""
    plan, terms = order.plan, PlanDetails.of(order.plan.details)
    usdc = _moved(transaction.meta, order.address, USDC)
    tokens = _moved(transaction.meta, order.address, plan.token_contract)
    paid, got = (-usdc, tokens) if plan.side is Side.BUY else (-tokens, usdc)
    if paid <= 0 or got <= 0:
        raise UnexpectedEffectsError(f"{order.signature} landed, but moved {usdc} raw USDC and {tokens} raw tokens")
    return Fill(
        venue=plan.venue,
        venue_fill_id=order.client_order_id,
        order_id=order.order_id,
        token_contract=plan.token_contract,
        side=plan.side,
        price=units.price(abs(usdc), abs(tokens), terms.token_decimals),
        quantity=units.quantity(abs(tokens), terms.token_decimals),
        fee=Money(0),
        cause=FillCause.ORDER,
        ts=_when(transaction, seen_at),
    )


def costs_of(order: SignedOrder, transaction: Transaction, seen_at: datetime) -> tuple[CashEvent, ...]:
    """Gas, and rent for new token accounts: together all the lamports that left the wallet.

    Swapped SOL is wrapped, so that it is none of them.
    """
    meta = transaction.meta
    left = meta.pre_balances[0] - meta.post_balances[0]
    terms, ts = PlanDetails.of(order.plan.details), _when(transaction, seen_at)

    def cost(cause: CashCause, lamports: int) -> CashEvent:
        amount = -units.sol(lamports)
        return CashEvent(
            venue=order.plan.venue,
            venue_event_id=f"{cause}:{order.client_order_id}",
            cause=cause,
            asset="SOL",
            amount=amount,
            usd=amount.at(terms.sol_price),
            ts=ts,
        )

    costs = [cost(CashCause.GAS, meta.fee)]
    if left != meta.fee:
        costs.append(cost(CashCause.RENT, left - meta.fee))
    return tuple(costs)


def _moved(meta: Effects, owner: str, mint: str) -> int:
    """How much more the owner has of it, over all of its accounts; one that is not listed held nothing."""
    return sum(
        sign * int(balance.ui_token_amount.amount)
        for sign, balances in ((-1, meta.pre_token_balances), (1, meta.post_token_balances))
        for balance in balances
        if balance.owner == owner and balance.mint == mint
    )


def _when(transaction: Transaction, seen_at: datetime) -> datetime:
    """The block's time; not every node tells it of a fresh block."""
    return seen_at if transaction.block_time is None else datetime.fromtimestamp(transaction.block_time, UTC)
