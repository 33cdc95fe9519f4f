"""Loads the history of instruments that are subscribed to for the first time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from strandline.history.candles import load_candles, without_history
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.connect_async import DATABASE_ERRORS, Connection
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError
from strandline.venues.history import History

_log = logging.getLogger(__name__)
_LENGTH: Final = timedelta(minutes=4_000)
"""Enough for 666 bars of five minutes, and little enough for nine coins at once within the venue's rate limits."""

_CANDLE_DELAY: Final = timedelta(seconds=5)
_OVERLAP: Final = timedelta(minutes=10)
_CLOSE_TIMEOUT: Final = 2.0
_Result = TypeVar("_Result")


class InitialBackfill:
    """Loads the candles of new instruments at once, and those of the minute in which the stream began once it is over.

    The stream received only a part of that minute; the venue's candle has all of it.
    """

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[Connection]],
        histories: Collection[History],
        clock: Callable[[], datetime],
    ) -> None:
        self._open = open_connection
        self._histories = {history.venue: history for history in histories}
        self._clock = clock
        self._queue: asyncio.Queue[tuple[History, Mapping[str, int]]] = asyncio.Queue()

    def add(self, venue: VenueKey, instruments: Mapping[str, int]) -> None:
        """Queue instruments; those that have history, or whose venue keeps none, are skipped."""
        if venue in self._histories:
            self._queue.put_nowait((self._histories[venue], instruments))

    async def run(self) -> None:
        """Load what is queued, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._backfill(*await self._queue.get()))

    async def _backfill(self, history: History, instruments: Mapping[str, int]) -> None:
        started = self._clock()
        missing = await self._retry(lambda connection: without_history(connection, instruments))
        for token, number in missing.items():
            loaded = await self._load(history, token, number, started - _LENGTH)
            _log.info("loaded %d candles of %s", loaded, token)
        if missing:
            complete_at = Timeframe.M1.end_of(started + _CANDLE_DELAY) + _CANDLE_DELAY
            await asyncio.sleep((complete_at - self._clock()).total_seconds())
            for token, number in missing.items():
                await self._load(history, token, number, started - _OVERLAP)

    async def _load(self, history: History, token: str, number: int, since: datetime) -> int:
        return await self._retry(
            lambda connection: load_candles(connection, history, token, number, since, self._clock())
        )

    async def _retry(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        """Repeat the work until venue and database succeed; doing it twice is harmless."""
        for pause in pauses():
            try:
                async with self._connected() as connection:
                    return await work(connection)
            except (FeedError, *DATABASE_ERRORS) as error:
                _log.warning("history cannot be loaded now: %r", error)
                await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """Open a connection and close it; that it was lost before it was closed changes nothing."""
        connection = await self._open()
        try:
            yield connection
        finally:
            with contextlib.suppress(*DATABASE_ERRORS):
                await connection.close(timeout=_CLOSE_TIMEOUT)
