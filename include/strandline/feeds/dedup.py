"""Finds duplicates among recent ticks, because venues replay trades after a reconnect."""

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

_SPAN: Final = timedelta(minutes=5)
_MAX_KEYS: Final = 500_000


class DuplicateFilter:
    """A set that forgets: a key stays for at least `span` and at most twice as long, or less if `max_keys` came since.

    The database rejects a duplicate that was forgotten too early.
    """

    def __init__(self, span: timedelta = _SPAN, max_keys: int = _MAX_KEYS) -> None:
        self._span = span
        self._max_keys = max_keys
        self._current: set[Hashable] = set()
        self._previous: set[Hashable] = set()
        self._rotated_at: datetime | None = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._current or key in self._previous

    def add(self, key: Hashable) -> None:
        """Remember the key."""
        self._current.add(key)

    def expire(self, now: datetime) -> None:
        """Forget the older half of the keys, if it is time to."""
        self._rotated_at = self._rotated_at or now
        if now - self._rotated_at >= self._span or len(self._current) >= self._max_keys:
            self._rotated_at = now
            self._current, self._previous = set(), self._current
