"""Brings the ledger's tables up to date with fills and cash events, in the transaction that stores those."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.account import Account, lock_all
from strandline.ledger.books import Books, Trade
from strandline.ledger.facts import all_entries, all_events, entries, entry_before, events
from strandline.ledger.tables import clear, load_cash, load_dust, load_holding, save


def post_order(connection: Connection, account: Account, order_id: UUID, fills: Sequence[int]) -> Trade | None:
    """Book an order's new fills, named by their `booked_no`, and what follows if its fate is known; a closed trade.

    The caller holds the venue's lock, and has written down the order's status and the fills.
    """
    order = connection.execute(
        text("""
        SELECT position_id, token_contract, resolved_at IS NOT NULL AS finished
        FROM orders JOIN intents USING (intent_id) JOIN positions USING (position_id) WHERE order_id = :order_id
        """),
        {"order_id": order_id},
    ).one()
    books = Books()
    load_holding(connection, books, order.position_id)
    load_dust(connection, books, account, order.token_contract)
    load_cash(connection, books, account)
    before = entry_before(connection, order.position_id, min(fills, default=None))
    if before is not None:
        books.last[order.position_id] = before
    for entry in entries(connection, fills):
        books.fill(entry)
    if order.finished:
        books.finish(order.position_id, order_id)
    save(connection, books)
    return next(iter(books.trades.values()), None)


def post_events(connection: Connection, account: Account, numbers: Sequence[int]) -> None:
    """Book new cash events, named by their `booked_no`, under the venue's lock."""
    books = Books()
    load_cash(connection, books, account)
    for event in events(connection, numbers):
        books.event(*event)
    save(connection, books)


def rebuild(connection: Connection) -> None:
    """Make every projection anew from fills and cash events; the rows are the same that booking left."""
    lock_all(connection)
    books = Books()
    for event in all_events(connection):
        books.event(*event)
    for entry in all_entries(connection):
        books.fill(entry)
    for last in tuple(books.last.values()):
        if last.finished:
            books.finish(last.position_id, last.order_id)
    clear(connection)
    save(connection, books)
