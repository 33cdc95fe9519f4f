"""Reads and writes the `instruments` table."""

from collections.abc import Sequence

from strandline.feeds.trading_sessions import add_new_calendars
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.feed import Listing


async def listed_instruments(connection: Connection, venue: VenueKey) -> dict[str, int]:
    """Get the ids of the instruments that are listed at the venue, by token contract."""
    found = await connection.fetch(
        "SELECT token_contract, instrument_id FROM instruments WHERE (token_chain, book_id) = ($1, $2) AND listed",
        venue.token_chain,
        venue.book_id,
    )
    return {row["token_contract"]: row["instrument_id"] for row in found}


async def upsert_instruments(connection: Connection, venue: VenueKey, listings: Sequence[Listing]) -> None:
    """Insert new instruments and update those whose description has changed; an id never changes.

    An instrument comes after the sessions of its calendar; raises `CalendarError`.
    """
    await add_new_calendars(connection, {listing.calendar for listing in listings if listing.calendar})
    await connection.executemany(
        """
        INSERT INTO instruments AS old
          (token_chain, book_id, token_contract, symbol, lot, min_notional, stale_after, listed, calendar)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (token_chain, book_id, token_contract) DO UPDATE SET
          symbol = excluded.symbol, lot = excluded.lot, min_notional = excluded.min_notional,
          stale_after = excluded.stale_after, listed = excluded.listed, calendar = excluded.calendar
        WHERE (old.symbol, old.lot, old.min_notional, old.stale_after, old.listed, old.calendar) IS DISTINCT FROM
          (excluded.symbol, excluded.lot, excluded.min_notional, excluded.stale_after, excluded.listed,
           excluded.calendar)
        """,
        [
            (
                venue.token_chain,
                venue.book_id,
                listing.token_contract,
                listing.symbol,
                listing.lot.decimal,
                listing.min_notional.decimal,
                listing.stale_after,
                listing.listed,
                listing.calendar,
            )
            for listing in listings
        ],
    )
