"""The account that exists on paper only."""

from typing import Final

from strandline.venues.config import VenueConfig

_UNNAMED: Final = "paper"


def address_of(config: VenueConfig) -> str:
    """A real address where one is told, so that it is the same account for everybody who asks."""
    return config.address or _UNNAMED
