"""Bazaar's venue key."""

from typing import Final

from strandline.model.venue import VenueKey

BAZAAR_SPOT: Final = VenueKey(token_chain="bazaar", book_id="spot")
