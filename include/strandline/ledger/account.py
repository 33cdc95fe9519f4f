"""An account of ours at a venue, and the lock that keeps its bookings in one order."""

from typing import NamedTuple

from sqlalchemy import Connection, text

from strandline.model.venue import VenueKey


class Account(NamedTuple):
    """By its public address."""

    venue: VenueKey
    address: str

    @property
    def columns(self) -> dict[str, str]:
        """As the tables name it, for a statement's parameters."""
        return {"token_chain": self.venue.token_chain, "book_id": self.venue.book_id, "address": self.address}


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
        {"token_chain": venue.token_chain, "book_id": venue.book_id},
    )


def lock_all(connection: Connection) -> None:
    """Until this transaction ends nobody books anything."""
    connection.execute(
        text("SELECT FROM venue_accounts ORDER BY token_chain, book_id, address FOR NO KEY UPDATE"),
    )
