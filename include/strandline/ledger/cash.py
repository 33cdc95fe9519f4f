"""Computes the free cash of each venue."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from strandline.ledger.settlement import DOLLARS
from strandline.model.exact import Money
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row


def free_cash(connection: Connection) -> Mapping[VenueKey, Money]:
    """Return dollars by venue; on margin, the cost of open holdings is deducted, as at a leverage of one."""
    rows = connection.execute(
        text("""
        SELECT token_chain, book_id, margined, sum(amount) AS cash,
               (SELECT COALESCE(sum(cost), 0) FROM holdings JOIN positions p USING (position_id)
                WHERE (p.token_chain, p.book_id) = (cash.token_chain, cash.book_id)) AS invested
        FROM cash JOIN venue_accounts USING (token_chain, book_id, address)
        WHERE asset = :dollars GROUP BY token_chain, book_id, margined
        """),
        {"dollars": DOLLARS},
    )
    return {from_row(VenueKey, row): Money(row.cash) - Money(row.invested if row.margined else 0) for row in rows}
