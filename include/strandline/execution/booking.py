"""Books the result of an order; booking the same result again changes nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from strandline.execution.intents import read
from strandline.execution.strands import record_result
from strandline.ledger.account import Account, lock_venue
from strandline.ledger.posting import post_cash_events, post_order
from strandline.model.fill import CashEvent, Fill
from strandline.model.intent import IntentStatus
from strandline.model.order import SignedOrder
from strandline.model.record import require
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.store.rows import to_row, values

_INTENT_STATUS: Final = {
    OrderStatus.FILLED: IntentStatus.DONE,
    OrderStatus.UNFILLED: IntentStatus.FAILED,
    OrderStatus.REJECTED: IntentStatus.FAILED,
    OrderStatus.DEAD: IntentStatus.FAILED,
    OrderStatus.UNKNOWN: IntentStatus.UNKNOWN,
}


def book(
    connection: Connection,
    account: Account,
    order: SignedOrder,
    result: ExecutionResult,
    now: datetime,
    code_version: str,
) -> OrderStatus:
    """Store fills, cash events and statuses, post them to the ledger, append the strand; return the order's status.

    A final status stays. Fills that contradict it are booked all the same, because the venue has made them.
    """
    require(
        result.order_id == order.order_id
        and all(fill.order_id == order.order_id and fill.venue == account.venue for fill in result.fills),
        f"the result is not about order {order.order_id}",
    )
    lock_venue(connection, account.venue)
    before = _status(connection, order)
    after = before if before.resolved else _settle(connection, order, result, now)
    fills = [number for fill in _in_order(result.fills) if (number := _add_fill(connection, account, fill))]
    events = add_cash_events(connection, account, result.cash_events)
    trade = post_order(connection, account, order.order_id, fills)
    if fills or events or after is not before:
        (planned,) = read(connection, [order.plan.intent_id])
        pnl = None if trade is None else trade.net_pnl
        record_result(connection, planned, order.plan, result, pnl, now, code_version)
    return after


def add_cash_events(connection: Connection, account: Account, events: Iterable[CashEvent]) -> int:
    """Store and post the events that are new; return their number. The caller holds the venue's lock."""
    added = [number for event in events if (number := _add_cash_event(connection, account, event))]
    if added:
        post_cash_events(connection, account, added)
    return len(added)


def _status(connection: Connection, order: SignedOrder) -> OrderStatus:
    query = text("SELECT status FROM orders WHERE order_id = :order_id")
    return OrderStatus(connection.execute(query, {"order_id": order.order_id}).scalar_one())


def _settle(connection: Connection, order: SignedOrder, result: ExecutionResult, now: datetime) -> OrderStatus:
    """Store the status of the order and of its intent. A status that is not final is stored as `unknown`."""
    status = result.status if result.status.resolved else OrderStatus.UNKNOWN
    connection.execute(
        text("""
        UPDATE orders SET status = :status, venue_order_id = COALESCE(:venue_order_id, venue_order_id),
                          error = :error, resolved_at = :resolved_at
        WHERE order_id = :order_id
        """),
        {
            "order_id": order.order_id,
            "status": status,
            "venue_order_id": result.venue_order_id,
            "error": result.error,
            "resolved_at": now if status.resolved else None,
        },
    )
    connection.execute(
        text("""
        UPDATE intents SET status = :status, status_reason = :reason, status_at = :now WHERE intent_id = :intent_id
        """),
        {
            "intent_id": order.plan.intent_id,
            "status": _INTENT_STATUS[status],
            "reason": None if status is OrderStatus.FILLED else status.value,
            "now": now,
        },
    )
    return status


def _in_order(fills: Iterable[Fill]) -> list[Fill]:
    return sorted(fills, key=lambda fill: (fill.ts, fill.venue_fill_id))


def _add_fill(connection: Connection, account: Account, fill: Fill) -> int | None:
    """Store the fill and return its `booked_no`; None if it was stored before."""
    row = to_row(account) | to_row(fill)
    number: int | None = connection.scalar(
        text(f"INSERT INTO fills {values(row)} ON CONFLICT DO NOTHING RETURNING booked_no"), row
    )
    return number


def _add_cash_event(connection: Connection, account: Account, event: CashEvent) -> int | None:
    """Store the event and return its `booked_no`; None if it was stored before."""
    row = to_row(account) | to_row(event)
    number: int | None = connection.scalar(
        text(f"INSERT INTO cash_events {values(row)} ON CONFLICT DO NOTHING RETURNING booked_no"), row
    )
    return number
