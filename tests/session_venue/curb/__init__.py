"""Curb, a stock exchange that exists for docs/market-data.md and its test: it is open when the New York exchange is."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from strandline.model.errors import StrandlineError
from strandline.model.exact import Money, Quantity, Ratio
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettings
from strandline.venues.config import VenueConfig
from strandline.venues.limits import FeedLimits, RateLimit
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.venue import Venue

if TYPE_CHECKING:
    from strandline.venues.executor import Executor, Observer
    from strandline.venues.feed import Feed, Sink

CURB_SHARES: Final = VenueKey(token_chain="curb", book_id="shares")


def _executor(config: VenueConfig) -> "Executor":
    raise StrandlineError("Curb cannot be sent orders", "watch it")


def _observer(config: VenueConfig) -> "Observer":
    raise StrandlineError("Curb has no accounts", "watch it")


def _feed(config: VenueConfig, sink: "Sink") -> "Feed":
    from tests.session_venue.curb.feed import CurbFeed

    return CurbFeed(config, sink)


def _preload() -> None:
    """Nothing trades there."""


CURB: Final = Venue(
    settings=VenueSettings(key=CURB_SHARES, name="curb", title="Curb", fields=(), without_testnet="Curb"),
    margined=False,
    executor=_executor,
    observer=_observer,
    feed=_feed,
    feed_limits=FeedLimits(RateLimit(burst=10, per_second=0.5), subscriptions=50),
    preload=_preload,
    paper_costs=PaperCosts(
        fee=Ratio(0),
        slippage=Decimal(0),
        max_notional=Money(2_000),
        min_notional=Money(1),
        lot=Quantity(1),
    ),
)
