"""The account that exists on paper only."""

from typing import Final

from strandline.venues.access import Access

_UNNAMED: Final = "paper"


def address_of(access: Access) -> str:
    """A real address where one is told, so that it is the same account for everybody who asks."""
    return access.address or _UNNAMED
