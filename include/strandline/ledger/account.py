"""An account of ours at a venue, and the lock that keeps its bookings in one order."""

from sqlalchemy import Connection, text

from strandline.model.record import Record
from strandline.model.venue import VenueKey
from strandline.store.rows import to_row


class Account(Record, frozen=True):
    """Named by its public address."""

    venue: VenueKey
    address: str


def lock_venue(connection: Connection, venue: VenueKey) -> None:
    """Until this transaction ends nobody else books at this venue, so that the order of booking is that of commit.

    All of the venue's accounts, because they share its rows. It is the first lock that a booking takes, a chain's head
    is the last.
    """
    connection.execute(
        text("""
        SELECT FROM venue_accounts WHERE (token_chain, book_id) = (:token_chain, :book_id)
        ORDER BY address FOR NO KEY UPDATE
        """),
        to_row(venue),
    )


def lock_all(connection: Connection) -> None:
    """Until this transaction ends nobody books anything."""
    connection.execute(
        text("SELECT FROM venue_accounts ORDER BY token_chain, book_id, address FOR NO KEY UPDATE"),
    )
