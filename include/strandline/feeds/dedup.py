"""Finds duplicates among recent ticks, because venues replay trades after a reconnect."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

_SPAN: Final = timedelta(minutes=5)
_MAX_KEYS: Final = 500_000


class DuplicateFilter:
    """Keys of packed ticks that are forgotten after at least `span` and at most twice as long, or sooner if there are
    more than `max_keys`.

    A key is known if it is in `newer` or in `older`, and is added to `newer`: two sets, because a call for each tick
    would take longer than looking. The database rejects a duplicate that was forgotten too early.
    """

    def __init__(self, span: timedelta = _SPAN, max_keys: int = _MAX_KEYS) -> None:
        self.newer: set[bytes] = set()
        self.older: set[bytes] = set()
        self._span = span
        self._max_keys = max_keys
        self._rotated_at: datetime | None = None

    def add_new(self, keys: Sequence[bytes]) -> bool:
        """Add them if all are new and different; returns whether they were."""
        if not (self.newer.isdisjoint(keys) and self.older.isdisjoint(keys)):
            return False
        count = len(self.newer)
        self.newer.update(keys)
        if len(self.newer) == count + len(keys):
            return True
        self.newer.difference_update(keys)
        return False

    def expire(self, now: datetime) -> None:
        """Forget the older half of the keys, if it is time to."""
        self._rotated_at = self._rotated_at or now
        if now - self._rotated_at >= self._span or len(self.newer) >= self._max_keys:
            self._rotated_at = now
            self.newer, self.older = set(), self.newer
