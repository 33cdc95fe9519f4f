"""Whether a cycle traded: which venues filled an order, and why another did not."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

EXPIRED: Final = "expired"
_FILLED: Final = """
    SELECT DISTINCT p.token_chain FROM intents JOIN positions p USING (position_id)
    JOIN orders USING (intent_id) JOIN fills USING (order_id) WHERE intents.cycle_t = :cycle
"""
_OUTCOMES: Final = """
    SELECT split_part(chain, '/', 1) AS venue,
           string_agg(
             DISTINCT coalesce(body::jsonb ->> 'skip_reason', body::jsonb -> 'result' ->> 'status', 'open'), ', '
           ) AS outcomes
    FROM strands WHERE cycle_t = :cycle AND kind = 'decision' GROUP BY 1
"""


def unfilled_venues(connection: Connection, cycle: datetime, venues: Iterable[str]) -> Mapping[str, str]:
    """Return, for each venue on which no order of the cycle was filled, the reason."""
    filled = set(connection.scalars(text(_FILLED), {"cycle": cycle}))
    outcomes = {row.venue: row.outcomes for row in connection.execute(text(_OUTCOMES), {"cycle": cycle})}
    return {venue: outcomes.get(venue, "nothing was decided there") for venue in venues if venue not in filled}
