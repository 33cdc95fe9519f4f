"""Solana's venue key."""

from typing import Final

from strandline.model.venue import VenueKey

SOLANA_ONCHAIN: Final = VenueKey(token_chain="solana", book_id="onchain_crypto")  # noqa: S106  no password
