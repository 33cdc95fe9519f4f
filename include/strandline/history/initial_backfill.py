"""Loads the history of instruments that are subscribed to for the first time."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from strandline.history.candles import SeriesKey, find_short_series, load_candles
from strandline.history.retry import OpenConnection, retry
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.venues.history import History
from strandline.venues.registry import find_venue

_log = logging.getLogger(__name__)
_BARS: Final = 800
"""What is loaded of each series: 666 bars, and some more as those without trades do not exist."""

_RECHECK_SECONDS: Final = 60.0
"""A row may be added to an instrument that is subscribed to already."""


class InitialBackfill:
    """Loads the candles of new instruments at once. Those until their streams begin are left to `OutageRepair`.

    What is always watched tells the market's regime: of that, hours and days are loaded whatever rows there are.
    """

    def __init__(
        self,
        open_connection: OpenConnection,
        histories: Collection[History],
        clock: Callable[[], datetime],
    ) -> None:
        self._open = open_connection
        self._histories = {history.venue: history for history in histories}
        self._clock = clock
        self._tokens: dict[VenueKey, dict[int, str]] = {history.venue: {} for history in histories}
        self._loaded: set[SeriesKey] = set()
        self._added = asyncio.Event()

    def add(self, venue: VenueKey, instruments: Mapping[str, int]) -> None:
        """Add instruments; those that have history, or whose venue keeps none, are skipped."""
        if venue in self._tokens:
            self._tokens[venue] |= {number: token for token, number in instruments.items()}
            self._added.set()

    async def run(self) -> None:
        """Load what is lacking, until cancelled."""
        while True:
            self._added.clear()
            async with asyncio.TaskGroup() as loading:
                for venue, history in self._histories.items():
                    loading.create_task(self._backfill(history, dict(self._tokens[venue])))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._added.wait(), _RECHECK_SECONDS)

    async def _backfill(self, history: History, tokens: Mapping[int, str]) -> None:
        started = self._clock()
        venue = find_venue(history.venue)
        always = venue.always_watched if venue else frozenset[str]()
        regime = [number for number, token in tokens.items() if token in always]
        short = await retry(self._open, lambda connection: find_short_series(connection, tokens, regime))
        new = [series for series in short if series not in self._loaded]
        for series in _with_minutes(new):
            loaded = await self._load(history, tokens, series, _since(series, new, started))
            _log.info("loaded %d candles of %s of %s", loaded, series.timeframe, tokens[series.instrument_id])
        self._loaded.update(new)

    async def _load(self, history: History, tokens: Mapping[int, str], series: SeriesKey, since: datetime) -> int:
        token = tokens[series.instrument_id]
        return await retry(
            self._open, lambda connection: load_candles(connection, history, token, series, since, self._clock())
        )


def _with_minutes(new: Collection[SeriesKey]) -> list[SeriesKey]:
    """Add the minutes to longer series, whose bars that are not over they must cover; the shortest come first."""
    minutes = {SeriesKey(series.instrument_id, Timeframe.M1) for series in new}
    return sorted({*new, *minutes}, key=lambda series: (series.timeframe.length, series.instrument_id))


def _since(series: SeriesKey, new: Collection[SeriesKey], now: datetime) -> datetime:
    """Return where the candles of a series begin."""
    if series.timeframe is not Timeframe.M1:
        return now - _BARS * series.timeframe.length
    forming = [one.timeframe.start_of(now) for one in new if one.instrument_id == series.instrument_id]
    return min(*forming, now - _BARS * series.timeframe.length if series in new else now)
