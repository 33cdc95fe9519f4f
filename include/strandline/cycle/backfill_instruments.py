"""Finds the instruments whose history is loaded, and registers those that the venue lists and we do not know yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strandline.feeds.instruments import upsert_instruments
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.watch_set import always_watched, traded_tokens
from strandline.history.instruments import find_instruments
from strandline.model.errors import StrandlineError
from strandline.store.connect_async import Connection
from strandline.venues.config import VenueConfig
from strandline.venues.feed import FeedError
from strandline.venues.venue import Venue


@dataclass(frozen=True)
class Instruments:
    """Ids by token contract, and the contract by each name that was given."""

    numbers: Mapping[str, int]
    contracts: Mapping[str, str]


async def instruments_of(
    connection: Connection, venue: Venue, config: VenueConfig, names: Sequence[str]
) -> Instruments:
    """Find the instruments of these names, which are contracts or symbols; of none, those that are streamed."""
    if not names:
        names = sorted((await traded_tokens(connection)).get(venue.key, frozenset()) | always_watched(venue.key))
    found = await find_instruments(connection, venue.key, names)
    unknown = [name for name in names if name not in found]
    if unknown:
        await _register(connection, venue, config, unknown)
        found = await find_instruments(connection, venue.key, names)
        if unknown := [name for name in names if name not in found]:
            raise StrandlineError(f"{venue.key} does not list {', '.join(unknown)}", "write names as the venue does")
    if not found:
        raise StrandlineError(f"nothing of {venue.key} is streamed", "name the symbols")
    return Instruments(dict(found.values()), {name: contract for name, (contract, _) in found.items()})


async def _register(connection: Connection, venue: Venue, config: VenueConfig, names: Sequence[str]) -> None:
    """Ask the venue what it lists, as the sidecar does when it starts."""
    try:
        listings = await venue.feed(config, TickBuffer(config.clock)).listings(names)
    except FeedError as error:
        raise StrandlineError(
            f"{', '.join(names)} are not registered yet, and the venue cannot be asked ({error})",
            "start strandline ingest once: it registers what the venue lists",
        ) from error
    await upsert_instruments(connection, venue.key, listings)
