"""The venues that exist. Adding one is a folder and a line here; everything else iterates over this list."""

from typing import Final

from strandline.model.venue import VenueKey
from strandline.venues.hyperliquid import HYPERLIQUID
from strandline.venues.solana import SOLANA
from strandline.venues.venue import Venue

VENUES: Final[list[Venue]] = [
    HYPERLIQUID,
    SOLANA,
]


def venues() -> tuple[Venue, ...]:
    """All venues, in the order in which tasks and settings list them."""
    return tuple(VENUES)


def find_venue(key: VenueKey) -> Venue | None:
    """The venue with this key; None if there is none."""
    return next((venue for venue in VENUES if venue.key == key), None)
