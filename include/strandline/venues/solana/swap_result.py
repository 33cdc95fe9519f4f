"""Converts a landed swap to a fill and cash events, by how the wallet's balances changed."""

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
    """The transaction landed, and did something other than swap."""


def fill_of(order: SignedOrder, transaction: Transaction, seen_at: datetime) -> Fill:
    """Convert the swap to one fill. The route's fees and a token's transfer fee are part of the price."""
    plan, details = order.plan, PlanDetails.of(order.plan.details)
    usdc = _balance_change(transaction.meta, order.address, USDC)
    tokens = _balance_change(transaction.meta, order.address, plan.token_contract)
    paid, got = (-usdc, tokens) if plan.side is Side.BUY else (-tokens, usdc)
    if paid <= 0 or got <= 0:
        raise UnexpectedEffectsError(f"{order.signature} landed, but moved {usdc} raw USDC and {tokens} raw tokens")
    return Fill(
        venue=plan.venue,
        venue_fill_id=order.client_order_id,
        order_id=order.order_id,
        token_contract=plan.token_contract,
        side=plan.side,
        price=units.price(abs(usdc), abs(tokens), details.token_decimals),
        quantity=units.quantity(abs(tokens), details.token_decimals),
        fee=Money(0),
        cause=FillCause.ORDER,
        ts=_block_time(transaction, seen_at),
    )


def costs_of(order: SignedOrder, transaction: Transaction, seen_at: datetime) -> tuple[CashEvent, ...]:
    """Convert the lamports that left the wallet to gas, and rent for new token accounts.

    Swapped SOL is wrapped, so it is not among them.
    """
    meta = transaction.meta
    left = meta.pre_balances[0] - meta.post_balances[0]
    details, ts = PlanDetails.of(order.plan.details), _block_time(transaction, seen_at)

    def cost(cause: CashCause, lamports: int) -> CashEvent:
        amount = -units.sol(lamports)
        return CashEvent(
            venue=order.plan.venue,
            venue_event_id=f"{cause}:{order.client_order_id}",
            cause=cause,
            asset="SOL",
            amount=amount,
            usd=amount.at(details.sol_price),
            ts=ts,
        )

    costs = [cost(CashCause.GAS, meta.fee)]
    if left != meta.fee:
        costs.append(cost(CashCause.RENT, left - meta.fee))
    return tuple(costs)


def _balance_change(meta: Effects, owner: str, mint: str) -> int:
    """Sum the change over all of the owner's accounts of this token; an account that is not listed held nothing."""
    return sum(
        sign * int(balance.ui_token_amount.amount)
        for sign, balances in ((-1, meta.pre_token_balances), (1, meta.post_token_balances))
        for balance in balances
        if balance.owner == owner and balance.mint == mint
    )


def _block_time(transaction: Transaction, seen_at: datetime) -> datetime:
    """The block's time; not every node knows it for a new block."""
    return seen_at if transaction.block_time is None else datetime.fromtimestamp(transaction.block_time, UTC)
