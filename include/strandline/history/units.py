"""Units of history: what is loaded in one transaction, and what one has brought."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, TypeAlias

from strandline.model.source import HistorySource
from strandline.store.connect_async import Connection

IN_FILES: Final = "of a day that maintenance has moved to files: restore it first"
"""Why a row is refused that may be loaded later: its unit is not recorded."""

OTHER_IDS: Final = "there already, under other ids"
OUTSIDE: Final = "outside the time asked for"
"""These two are refused of files that are whole."""

DaysInFiles: TypeAlias = Collection[tuple[int, date]]
"""Instruments and days whose ticks are in files and not in the database: a bar that was built now would lack them."""


@dataclass
class Loaded:
    """Counts of rows. `stored` were new, `changed` were there with other numbers; the rest of `found` was there."""

    found: int = 0
    stored: int = 0
    changed: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Loaded") -> None:
        """Add the counts of another."""
        self.found += other.found
        self.stored += other.stored
        self.changed += other.changed
        self.refused += other.refused


@dataclass(frozen=True)
class UnitKey:
    """What a unit is known by when it is asked whether it was loaded; without a hash its content does not matter."""

    source: HistorySource
    name: str
    starts_at: datetime
    ends_at: datetime
    content_hash: str | None = None
    hour: datetime | None = None
    derived_ids: bool = False


@dataclass(frozen=True)
class Unit:
    """One hour of an archive, one day of candles, or some lines of a file.

    `key` reads the content, if it must be known; `load` stores it for the given instruments. No unit that comes after
    this one has anything of before `complete_until`. Its own rows lie in [since, until); `passed_over` counts those
    of each name that was not asked for.
    """

    name: str
    instruments: Mapping[str, int]
    key: Callable[[], UnitKey]
    load: Callable[[Connection, UnitKey, Mapping[str, int]], Awaitable[Mapping[int, Loaded]]]
    complete_until: datetime
    since: datetime
    until: datetime
    passed_over: Counter[str] = field(default_factory=Counter)
