"""Asks a venue for its own name of a token."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from strandline.configuration import venue_config
from strandline.cycle.context import Context
from strandline.model.errors import ConfigurationError, StrandlineError
from strandline.model.venue import VenueKey
from strandline.venues.feed import FeedError, Listing, QuarantinedMessage, TickRow
from strandline.venues.registry import find_venue
from strandline.venues.venue import Venue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PATIENCE_SECONDS: Final = 10.0


class VenueToken(NamedTuple):
    """A token as its venue spells it; as it was given if the venue does not answer, and `problem` says so."""

    token_contract: str
    symbol: str
    problem: str | None = None


def look_up(context: Context, key: VenueKey, token: str) -> VenueToken:
    """Find the token in the venue's list; raise StrandlineError if the venue does not list it."""
    venue = find_venue(key)
    if venue is None:
        raise StrandlineError(f"there is no venue {key}", "see the venues in docs/configuration.md")
    try:
        listings = asyncio.run(_listings(context, venue, token))
    except (FeedError, ConfigurationError, TimeoutError, OSError) as error:
        return VenueToken(token, token, f"{key} could not be asked whether it lists {token} ({type(error).__name__})")
    listed = [one for one in listings if one.listed]
    exact = [one for one in listed if one.token_contract == token]
    same = exact or [one for one in listed if one.token_contract.lower() == token.lower()]
    if len(same) != 1:
        raise StrandlineError(f"{key} does not list {token}", _remedy(listed, token))
    return VenueToken(same[0].token_contract, same[0].symbol)


def _remedy(listed: Sequence[Listing], token: str) -> str:
    near = sorted(one.token_contract for one in listed if token.lower() in one.token_contract.lower())[:5]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return f"give the venue's own name of the token: a coin such as BTC, or on a chain the contract's address{hint}"


async def _listings(context: Context, venue: Venue, token: str) -> list[Listing]:
    of_venue = next(one for one in context.settings.venues if one.key == venue.key)
    config = venue_config(context.settings, of_venue, context.strategy.execution, context.clock)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return await venue.feed(config, _Nowhere()).listings([token])


class _Nowhere:
    """A sink for a feed that streams nothing."""

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        """Take ticks, of which there are none."""

    def add_packed(self, venue: VenueKey, ticks: "NDArray[np.void]") -> None:
        """Take an array of them, of which there are none."""

    def quarantine(self, message: QuarantinedMessage) -> None:
        """Take messages, of which there are none."""
