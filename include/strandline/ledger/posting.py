"""Updates the ledger's tables with fills and cash events, in the transaction that stores those."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.account import Account, lock_all
from strandline.ledger.books import Books, Trade
from strandline.ledger.facts import all_cash_events, all_fills, cash_events, fill_before, fills
from strandline.ledger.tables import clear, load_cash, load_dust, load_holding, save


def post_order(connection: Connection, account: Account, order_id: UUID, new_fills: Sequence[int]) -> Trade | None:
    """Post an order's new fills, named by their `booked_no`, and its end if its status is final; return a closed trade.

    The caller holds the venue's lock, and has stored the order's status and the fills.
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
    before = fill_before(connection, order.position_id, min(new_fills, default=None))
    if before is not None:
        books.last_fill[order.position_id] = before
    for entry in fills(connection, new_fills):
        books.post_fill(entry)
    if order.finished:
        books.end_order(order.position_id, order_id)
    save(connection, books)
    return next(iter(books.trades.values()), None)


def post_cash_events(connection: Connection, account: Account, numbers: Sequence[int]) -> None:
    """Post new cash events, named by their `booked_no`. The caller holds the venue's lock."""
    books = Books()
    load_cash(connection, books, account)
    for entry in cash_events(connection, numbers):
        books.post_cash(entry)
    save(connection, books)


def rebuild(connection: Connection) -> None:
    """Delete holdings, dust, cash and trades, and compute them again from all fills and cash events.

    The result equals what posting has stored.
    """
    lock_all(connection)
    books = Books()
    for cash in all_cash_events(connection):
        books.post_cash(cash)
    for fill in all_fills(connection):
        books.post_fill(fill)
    for last in tuple(books.last_fill.values()):
        if last.finished:
            books.end_order(last.position_id, last.order_id)
    clear(connection)
    save(connection, books)
