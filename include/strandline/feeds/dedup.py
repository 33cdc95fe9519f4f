"""Remembers what was seen lately, so that what a venue replays is taken once."""

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

_SPAN: Final = timedelta(minutes=5)
_MOST: Final = 500_000


class RecentKeys:
    """Everything of the last `span` is remembered, nothing for more than twice as long, and never too much."""

    def __init__(self, span: timedelta = _SPAN, most: int = _MOST) -> None:
        self._span = span
        self._most = most
        self._new: set[Hashable] = set()
        self._old: set[Hashable] = set()
        self._began: datetime | None = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._new or key in self._old

    def add(self, key: Hashable) -> None:
        """From now on it was seen."""
        self._new.add(key)

    def age(self, now: datetime) -> None:
        """Forget what is old enough; the database refuses a double that was forgotten too early."""
        self._began = self._began or now
        if now - self._began >= self._span or len(self._new) >= self._most:
            self._began = now
            self._new, self._old = set(), self._new
