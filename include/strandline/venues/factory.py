"""Makes a venue's executor and observer, for real or on paper."""

from collections.abc import Mapping

from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey
from strandline.venues.config import VenueConfig
from strandline.venues.executor import Executor, Observer
from strandline.venues.registry import find_venue, venues
from strandline.venues.venue import Venue


class NoExecutorError(StrandlineError):
    """Raised for an unknown venue; its intents are skipped as `no_executor`."""

    def __init__(self, venue: VenueKey) -> None:
        known = ", ".join(map(str, ExecutorFactory.venues()))
        super().__init__(f"there is no executor for {venue}", f"use one of {known}, or add a folder under venues/")


class ExecutorFactory:
    """Makes executors and observers for the venues that have a configuration."""

    def __init__(self, configs: Mapping[VenueKey, VenueConfig]) -> None:
        self._configs = configs

    @staticmethod
    def venues() -> tuple[VenueKey, ...]:
        """Every venue that exists; the DAG has a task for each."""
        return tuple(venue.key for venue in venues())

    def executor(self, key: VenueKey) -> Executor:
        """An executor that sends orders, or in paper mode one that simulates fills at real prices."""
        venue, config = self._find(key)
        if config.paper:
            from strandline.venues.paper.executor import PaperExecutor

            return PaperExecutor(key, config, venue.observer(config), venue.paper_costs)
        return venue.executor(config)

    def observer(self, key: VenueKey) -> Observer:
        """An observer; in paper mode the account is the simulated one."""
        venue, config = self._find(key)
        observer = venue.observer(config)
        if config.paper:
            from strandline.venues.paper.observer import PaperObserver

            return PaperObserver(key, config, observer)
        return observer

    def address(self, key: VenueKey) -> str:
        """The account's public address: as configured, else derived from the key."""
        _, config = self._find(key)
        if config.address is not None:
            return config.address
        executor = self.executor(key)
        try:
            return executor.address
        finally:
            executor.close()

    def margined(self, key: VenueKey) -> bool:
        """Whether the venue is traded on margin."""
        venue, _ = self._find(key)
        return venue.margined

    def _find(self, key: VenueKey) -> tuple[Venue, VenueConfig]:
        venue = find_venue(key)
        if venue is None or key not in self._configs:
            raise NoExecutorError(key)
        return venue, self._configs[key]
