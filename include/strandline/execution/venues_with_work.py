"""Finds the venues that the cycle must execute."""

from sqlalchemy import Connection, text

from strandline.model.venue import VenueKey
from strandline.store.rows import from_row


def venues_with_work(connection: Connection) -> set[VenueKey]:
    """Return the venues with open intents, unresolved orders, holdings or dust."""
    rows = connection.execute(
        text("""
        SELECT token_chain, book_id FROM open_intents
        UNION SELECT token_chain, book_id FROM unresolved_orders
        UNION SELECT token_chain, book_id FROM holdings JOIN positions USING (position_id) WHERE quantity > 0
        UNION SELECT token_chain, book_id FROM dust WHERE quantity > 0
        """)
    )
    return {from_row(VenueKey, row) for row in rows}
