"""Hyperliquid's perpetuals."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from strandline.model.exact import Money, Quantity, Ratio
from strandline.venues.config import VenueConfig
from strandline.venues.hyperliquid import settings
from strandline.venues.hyperliquid.limits import FEED_LIMITS, HISTORY_LIMITS
from strandline.venues.hyperliquid.simulated_account import SIMULATED_ACCOUNT
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.venue import Venue

if TYPE_CHECKING:
    from strandline.venues.archive import Archive
    from strandline.venues.executor import Executor, Observer
    from strandline.venues.feed import Feed, Sink
    from strandline.venues.history import History


def _executor(config: VenueConfig) -> "Executor":
    from strandline.venues.hyperliquid.executor import HyperliquidExecutor

    return HyperliquidExecutor(config)


def _observer(config: VenueConfig) -> "Observer":
    from strandline.venues.hyperliquid.observer import HyperliquidObserver

    return HyperliquidObserver(config)


def _feed(config: VenueConfig, sink: "Sink") -> "Feed":
    from strandline.venues.hyperliquid.feed import HyperliquidFeed

    return HyperliquidFeed(config.require(settings.URL.name), sink, config.clock, config.processes)


def _history(config: VenueConfig) -> "History":
    from strandline.venues.hyperliquid.history import HyperliquidHistory

    return HyperliquidHistory(config.require(settings.URL.name), config.processes)


def _archive() -> "Archive":
    from strandline.venues.hyperliquid.archive import HyperliquidArchive

    return HyperliquidArchive()


def _preload() -> None:
    import strandline.venues.hyperliquid.executor
    import strandline.venues.hyperliquid.observer  # noqa: F401


HYPERLIQUID: Final = Venue(
    settings=settings.SETTINGS,
    margined=True,
    executor=_executor,
    observer=_observer,
    feed=_feed,
    history=_history,
    archive=_archive,
    feed_limits=FEED_LIMITS,
    history_limits=HISTORY_LIMITS,
    preload=_preload,
    paper_costs=PaperCosts(
        fee=Ratio("0.00045"),
        slippage=Decimal("0.0010"),
        max_notional=Money(100_000),
        min_notional=Money(10),
        lot=Quantity("1e-6"),
    ),
    simulated_account=SIMULATED_ACCOUNT,
    # The majors, whose regime every other instrument is judged by.
    always_watched=frozenset({"BTC", "ETH", "SOL", "HYPE", "BNB"}),
)
