"""What every step of the cycle works with, opened from the settings of this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from strandline.configuration import load_settings, venue_configs
from strandline.cycle.version import code_version
from strandline.model.strategy import Strategy
from strandline.model.venue import VenueKey
from strandline.settings import Settings
from strandline.store.connect import connect, database_url, in_words, interruptible_waits
from strandline.store.roles import Role
from strandline.store.timeouts import Timeouts
from strandline.strategy import load_strategy
from strandline.venues.factory import ExecutorFactory


@dataclass(frozen=True)
class Context:
    """Settings, strategy, database, venues and clock."""

    settings: Settings
    strategy: Strategy
    database: Engine
    clock: Callable[[], datetime]
    code_version: str

    @property
    def venues(self) -> tuple[VenueKey, ...]:
        """The venues that are enabled."""
        return self.settings.enabled_keys

    @property
    def factory(self) -> ExecutorFactory:
        """Makes executors and observers from each venue's configuration."""
        return ExecutorFactory(venue_configs(self.settings, self.strategy.execution, self.clock))


def utc_now() -> datetime:
    """The pipeline's clock, which is passed to everything that needs the time."""
    return datetime.now(UTC)


@contextmanager
def open_context(timeouts: Timeouts, clock: Callable[[], datetime] = utc_now) -> Iterator[Context]:
    """A context whose connections are closed at the end."""
    settings = load_settings()
    strategy = load_strategy(settings)
    database = connect(database_url(settings, Role.APP), Role.APP, timeouts=timeouts)
    try:
        with interruptible_waits(), in_words(settings):
            yield Context(settings, strategy, database, clock, code_version())
    finally:
        database.dispose()
