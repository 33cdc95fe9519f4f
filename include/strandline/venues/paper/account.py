"""The account of paper trading."""

from typing import Final

from strandline.venues.config import VenueConfig

_UNNAMED: Final = "paper"


def address_of(config: VenueConfig) -> str:
    """The configured address, so that every process means the same account; else a fixed name."""
    return config.address or _UNNAMED
