"""Hyperliquid's venue key."""

from typing import Final

from strandline.model.venue import VenueKey

HYPERLIQUID_PERPS: Final = VenueKey(token_chain="hyperliquid", book_id="perps")  # noqa: S106  no password
