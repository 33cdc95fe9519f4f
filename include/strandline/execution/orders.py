"""Stores orders before they are sent, and reads the unresolved ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from strandline.ledger.account import Account
from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.exact import Money, Quantity
from strandline.model.intent import ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.store.rows import to_row, values

_FINEST: Final = Quantity("1e-18")


def write_order(
    connection: Connection, account: Account, order: SignedOrder, dust_below: Quantity, now: datetime
) -> None:
    """Store what is needed to send exactly these bytes, and to ask the venue for the order's result."""
    plan = order.plan
    row = to_row(account) | {
        "order_id": order.order_id,
        "intent_id": plan.intent_id,
        "attempt": plan.attempt,
        "side": plan.side.value,
        "kind": plan.kind.value,
        "quantity": plan.quantity.decimal,
        "limit_price": plan.limit_price.decimal,
        "client_order_id": order.client_order_id,
        "nonce": order.nonce,
        "signature": order.signature,
        "signed_bytes": order.signed_bytes,
        "deadline": plan.deadline,
        "last_valid_height": order.last_valid_height,
        "plan": canonical_bytes(plan).decode(),
        "dust_below": dust_below.decimal,
        "written_at": now,
    }
    connection.execute(text(f"INSERT INTO orders {values(row)}"), row)


def mark_sent(connection: Connection, order_id: UUID, now: datetime) -> bool:
    """Mark the order before its bytes are sent; false if another process has recovered it already."""
    marked = connection.execute(
        text("UPDATE orders SET status = 'sent', sent_at = :now WHERE order_id = :order_id AND status = 'ready'"),
        {"order_id": order_id, "now": now},
    ).rowcount
    return bool(marked)


def unresolved(connection: Connection, account: Account) -> Sequence[SignedOrder]:
    """Read the account's orders whose status is not final, oldest first."""
    rows = connection.execute(
        text("""
        SELECT *, plan::text AS plan_json FROM unresolved_orders
        WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
        ORDER BY written_at, order_id
        """),
        to_row(account),
    )
    return tuple(map(_order, rows))


def smallest_sellable(connection: Connection, intent: ExecutionIntent) -> Quantity:
    """Return the smallest quantity that can be sold: one lot, and the venue's minimum at the decision price.

    It is stored with the order, so that a rebuilt ledger stays the same when the venue changes its lots and minimums.
    """
    lot, minimum = connection.execute(
        text("""
        SELECT lot, min_notional FROM instruments
        WHERE (token_chain, book_id, token_contract) = (:chain, :book, :token)
        """),
        {"chain": intent.venue.token_chain, "book": intent.venue.book_id, "token": intent.token_contract},
    ).one()
    return max(Quantity(lot), Money(minimum).buys(intent.decision_price, _FINEST))


def _order(row: Row[Any]) -> SignedOrder:
    return SignedOrder(
        plan=from_json(row.plan_json, ExecutionPlan),
        address=row.address,
        client_order_id=row.client_order_id,
        nonce=row.nonce,
        signature=row.signature,
        signed_bytes=bytes(row.signed_bytes),
        last_valid_height=row.last_valid_height,
    )
