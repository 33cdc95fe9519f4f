"""Checks whether a cycle filled an order on each venue, and why not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

_EXPIRED: Final = "expired"
_FURTHER_CYCLES: Final = 2
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


def follow_until_filled(
    runs: Iterator[str],
    follow: Callable[[str], list[str]],
    unfilled: Callable[[str], Mapping[str, str]],
    report: Callable[[str], None],
) -> list[str]:
    """Follow the first run, and up to two more while entries expire; return the faults of the last one.

    A venue without a filled order is a fault.
    """
    run_id = next(runs)
    faults, reasons = follow(run_id), unfilled(run_id)
    for _ in range(_FURTHER_CYCLES):
        if not any(_EXPIRED in reason for reason in reasons.values()):
            break
        report("this machine was too slow for that cycle: its entries expired; the next one has more time")
        run_id = next(runs)
        faults, reasons = follow(run_id), unfilled(run_id)
    return faults + [f"no order was filled on {venue} ({reason})" for venue, reason in reasons.items()]


def unfilled_venues(connection: Connection, cycle: datetime, venues: Iterable[str]) -> Mapping[str, str]:
    """Return the venues without a filled order in this cycle, with the reason."""
    filled = set(connection.scalars(text(_FILLED), {"cycle": cycle}))
    outcomes = {row.venue: row.outcomes for row in connection.execute(text(_OUTCOMES), {"cycle": cycle})}
    return {venue: outcomes.get(venue, "nothing was decided there") for venue in venues if venue not in filled}
