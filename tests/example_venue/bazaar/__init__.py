"""Bazaar, a spot exchange that exists for docs/adding-a-venue.md and its test. It can be traded on paper only."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from strandline.model.errors import StrandlineError
from strandline.model.exact import Money, Quantity, Ratio
from strandline.venues.config import VenueConfig
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.venue import Venue
from tests.example_venue.bazaar import settings
from tests.example_venue.bazaar.limits import FEED_LIMITS

if TYPE_CHECKING:
    from strandline.venues.executor import Executor, Observer
    from strandline.venues.feed import Feed, Sink


def _executor(config: VenueConfig) -> "Executor":
    raise StrandlineError("Bazaar cannot be sent orders", "set STRANDLINE_MODE to paper")


def _observer(config: VenueConfig) -> "Observer":
    from tests.example_venue.bazaar.observer import BazaarObserver

    return BazaarObserver(config)


def _feed(config: VenueConfig, sink: "Sink") -> "Feed":
    from tests.example_venue.bazaar.feed import BazaarFeed

    return BazaarFeed(config, sink)


def _preload() -> None:
    import tests.example_venue.bazaar.observer  # noqa: F401


BAZAAR: Final = Venue(
    settings=settings.SETTINGS,
    margined=False,
    executor=_executor,
    observer=_observer,
    feed=_feed,
    feed_limits=FEED_LIMITS,
    preload=_preload,
    paper_costs=PaperCosts(
        fee=Ratio("0.0020"),
        slippage=Decimal("0.0030"),
        max_notional=Money(2_000),
        min_notional=Money(5),
        lot=Quantity("0.01"),
    ),
    always_watched=frozenset({"JUP"}),
)
