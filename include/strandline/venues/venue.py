"""The descriptor that each venue's folder exports: everything that the rest of the pipeline needs of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettings
from strandline.venues.config import VenueConfig
from strandline.venues.limits import FeedLimits, HistoryLimits
from strandline.venues.paper.costs import PaperCosts
from strandline.venues.simulated_account import SimulatedAccount

if TYPE_CHECKING:
    from strandline.venues.archive import Archive
    from strandline.venues.executor import Executor, Observer
    from strandline.venues.feed import Feed, Sink
    from strandline.venues.history import History


@dataclass(frozen=True, kw_only=True)
class Venue:
    """One venue, and what it can do.

    The callables import what they need when they are called: an SDK takes longer to load than a DAG may take to parse.
    """

    settings: VenueSettings
    margined: bool
    """Whether a purchase is a claim on margin, as with perps, instead of being paid with cash."""
    executor: Callable[[VenueConfig], "Executor"]
    observer: Callable[[VenueConfig], "Observer"]
    feed: Callable[[VenueConfig, "Sink"], "Feed"]
    history: Callable[[VenueConfig], "History"] | None = None
    """None where the venue serves no candles: its instruments start without history."""
    archive: Callable[[], "Archive"] | None = None
    """None where the venue publishes no files of its trades."""
    feed_limits: FeedLimits
    history_limits: HistoryLimits | None = None
    preload: Callable[[], None]
    """Imports executor and observer in a process that forks tasks."""
    paper_costs: PaperCosts
    always_watched: frozenset[str] = frozenset()
    """Tokens that are streamed whatever is traded."""
    simulated_account: SimulatedAccount | None = None
    """None where there is no simulator."""

    @property
    def name(self) -> str:
        """Its short name, as in its settings."""
        return self.settings.name

    @property
    def has_testnet(self) -> bool:
        """Whether it can be traded in mode testnet."""
        return self.settings.without_testnet is None

    def __post_init__(self) -> None:
        if (self.history is None) != (self.history_limits is None):
            raise ValueError(f"{self.name} must have both history and history_limits, or neither")

    @property
    def key(self) -> VenueKey:
        """The venue key."""
        return self.settings.key
