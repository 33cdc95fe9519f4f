"""Our account at a venue, and the locks under which it is booked."""

from sqlalchemy import Connection, text

from strandline.model.record import Record
from strandline.model.venue import VenueKey
from strandline.store.rows import to_row


class Account(Record, frozen=True):
    """An account, named by its public address."""

    venue: VenueKey
    address: str


def lock_venue(connection: Connection, venue: VenueKey) -> None:
    """Lock all accounts of the venue until the transaction ends, so that fills are booked in the order of commits.

    The accounts share the venue's position rows. A booking takes this lock first and the lock of a chain's head last.
    """
    connection.execute(
        text("""
        SELECT FROM venue_accounts WHERE (token_chain, book_id) = (:token_chain, :book_id)
        ORDER BY address FOR NO KEY UPDATE
        """),
        to_row(venue),
    )


def lock_all(connection: Connection) -> None:
    """Lock the accounts of all venues until the transaction ends."""
    connection.execute(
        text("SELECT FROM venue_accounts ORDER BY token_chain, book_id, address FOR NO KEY UPDATE"),
    )
