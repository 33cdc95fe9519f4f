"""Finds the instruments whose history is asked for."""

from collections.abc import Collection, Mapping

from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection


async def find_instruments(
    connection: Connection, venue: VenueKey, names: Collection[str]
) -> Mapping[str, tuple[str, int]]:
    """Find each by its contract, else by its symbol in any case: contract and id by name, without those not found."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (name) name, token_contract, instrument_id
        FROM unnest($3::text[]) AS name JOIN instruments ON token_contract = name OR lower(symbol) = lower(name)
        WHERE (token_chain, book_id) = ($1, $2)
        ORDER BY name, token_contract = name DESC, listed DESC, instrument_id
        """,
        venue.token_chain,
        venue.book_id,
        list(names),
    )
    return {row["name"]: (row["token_contract"], row["instrument_id"]) for row in rows}
