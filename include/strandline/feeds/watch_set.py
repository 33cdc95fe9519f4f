"""Which tokens are watched."""

from collections import defaultdict
from collections.abc import Mapping

from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.registry import find_venue


def always_watched(key: VenueKey) -> frozenset[str]:
    """The tokens whose market data this venue needs whatever is traded."""
    venue = find_venue(key)
    return venue.always_watched if venue else frozenset()


async def traded_tokens(connection: Connection) -> Mapping[VenueKey, frozenset[str]]:
    """By venue, the tokens of all rows that are not archived."""
    rows = await connection.fetch(
        "SELECT DISTINCT token_chain, book_id, token_contract FROM positions WHERE desired_status <> 'archived'"
    )
    tokens: dict[VenueKey, set[str]] = defaultdict(set)
    for row in rows:
        tokens[VenueKey(token_chain=row["token_chain"], book_id=row["book_id"])].add(row["token_contract"])
    return {venue: frozenset(found) for venue, found in tokens.items()}
