"""Finds the tokens to subscribe to."""

from collections import defaultdict
from collections.abc import Mapping

from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.registry import find_venue


def always_watched(key: VenueKey) -> frozenset[str]:
    """Return the tokens that this venue always needs, whatever is traded."""
    venue = find_venue(key)
    return venue.always_watched if venue else frozenset()


async def traded_tokens(connection: Connection) -> Mapping[VenueKey, frozenset[str]]:
    """Read the tokens of all rows that are not archived, by venue."""
    rows = await connection.fetch(
        "SELECT DISTINCT token_chain, book_id, token_contract FROM positions WHERE desired_status <> 'archived'"
    )
    tokens: dict[VenueKey, set[str]] = defaultdict(set)
    for row in rows:
        tokens[VenueKey(token_chain=row["token_chain"], book_id=row["book_id"])].add(row["token_contract"])
    return {venue: frozenset(found) for venue, found in tokens.items()}
