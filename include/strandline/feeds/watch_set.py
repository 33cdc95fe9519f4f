"""Which tokens are watched."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from strandline.model.venue import HYPERLIQUID_PERPS, SOLANA_ONCHAIN, VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.solana.prices import WRAPPED_SOL

ALWAYS: Final[Mapping[VenueKey, frozenset[str]]] = {
    HYPERLIQUID_PERPS: frozenset({"BTC", "ETH", "SOL", "HYPE", "BNB"}),
    SOLANA_ONCHAIN: frozenset({WRAPPED_SOL}),
}
"""Whatever is traded: the majors, whose regime everything follows, and what Solana's gas is paid with."""


async def read_rows(connection: Connection) -> Mapping[VenueKey, frozenset[str]]:
    """Of each venue the tokens of all rows that are not archived."""
    rows = await connection.fetch(
        "SELECT DISTINCT token_chain, book_id, token_contract FROM positions WHERE desired_status <> 'archived'"
    )
    tokens: dict[VenueKey, set[str]] = defaultdict(set)
    for row in rows:
        tokens[VenueKey(token_chain=row["token_chain"], book_id=row["book_id"])].add(row["token_contract"])
    return {venue: frozenset(found) for venue, found in tokens.items()}
