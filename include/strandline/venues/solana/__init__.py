"""Solana's on-chain book: swaps between USDC and a token, through Jupiter."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from strandline.model.exact import Money, Quantity, Ratio
from strandline.venues.config import VenueConfig
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.solana import settings
from strandline.venues.solana.limits import FEED_LIMITS
from strandline.venues.solana.prices import WRAPPED_SOL
from strandline.venues.solana.simulated_account import SIMULATED_ACCOUNT
from strandline.venues.venue import Venue

if TYPE_CHECKING:
    from strandline.venues.executor import Executor, Observer
    from strandline.venues.feed import Feed, Sink


def _executor(config: VenueConfig) -> "Executor":
    from strandline.venues.solana.executor import SolanaExecutor

    return SolanaExecutor(config)


def _observer(config: VenueConfig) -> "Observer":
    from strandline.venues.solana.observer import SolanaObserver

    return SolanaObserver(config)


def _feed(config: VenueConfig, sink: "Sink") -> "Feed":
    from strandline.venues.solana.feed import JupiterFeed

    return JupiterFeed(
        config.require(settings.JUPITER_URL.name),
        sink,
        config.clock,
        config.get(settings.JUPITER_API_KEY.name),
        FEED_LIMITS.divided(config.processes),
    )


def _preload() -> None:
    import strandline.venues.solana.executor
    import strandline.venues.solana.observer  # noqa: F401


SOLANA: Final = Venue(
    settings=settings.SETTINGS,
    margined=False,
    executor=_executor,
    observer=_observer,
    feed=_feed,
    feed_limits=FEED_LIMITS,
    preload=_preload,
    paper_costs=PaperCosts(
        fee=Ratio("0.0010"),
        slippage=Decimal("0.0050"),
        max_notional=Money(10_000),
        min_notional=Money(1),
        lot=Quantity("1e-9"),
    ),
    simulated_account=SIMULATED_ACCOUNT,
    always_watched=frozenset({WRAPPED_SOL}),  # gas is paid in SOL, so its price is always needed
)
