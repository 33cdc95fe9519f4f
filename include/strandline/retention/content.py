"""What a day of ticks contains, in a hash that the database computes alike (`tick_day_content`)."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np

from strandline.retention.tick_bytes import Ticks

_POSTGRES_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MINUTE: Final = 60_000_000


class Content(NamedTuple):
    """Two days with the same have the same ticks, bit for bit."""

    rows: int
    content_hash: str


EMPTY: Final = Content(0, sha256().hexdigest())


class ContentHash:
    """Computes the content of ticks that come in order, some at a time."""

    def __init__(self) -> None:
        self.rows = 0
        self.by_instrument: Counter[int] = Counter()
        self._of_day = sha256()
        self._of_minute = sha256()
        self._minute: int | None = None
        self._first = self._last = 0

    def add(self, ticks: Ticks) -> None:
        """Take the next ticks, by time, instrument and id."""
        if not len(ticks):
            return
        minutes = ticks["ts"].astype("i8") // _MINUTE
        starts = [0, *(np.flatnonzero(np.diff(minutes)) + 1).tolist()]
        for start, end in zip(starts, [*starts[1:], len(ticks)], strict=True):
            if minutes[start] != self._minute:
                self._end_minute()
                self._minute = int(minutes[start])
            self._of_minute.update(ticks[start:end].tobytes())
        if not self.rows:
            self._first = int(ticks["ts"][0])
        self._last = int(ticks["ts"][-1])
        self.rows += len(ticks)
        numbers, counts = np.unique(ticks["instrument_id"], return_counts=True)
        self.by_instrument.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))

    def result(self) -> Content:
        """The content of all that was taken; nothing can be added after it."""
        self._end_minute()
        return Content(self.rows, self._of_day.hexdigest())

    @property
    def first_ts(self) -> datetime:
        """The time of the first tick."""
        return _POSTGRES_EPOCH + timedelta(microseconds=self._first)

    @property
    def last_ts(self) -> datetime:
        """The time of the last tick."""
        return _POSTGRES_EPOCH + timedelta(microseconds=self._last)

    def _end_minute(self) -> None:
        if self._minute is not None:
            self._of_day.update(self._of_minute.digest())
            self._of_minute, self._minute = sha256(), None
