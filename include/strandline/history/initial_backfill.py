"""Gives instruments that are watched for the first time a past."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from asyncpg.exceptions import InterfaceError, PostgresError  # type: ignore[import-untyped]

from strandline.history.candles import load_candles, without_history
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError
from strandline.venues.history import History

_log = logging.getLogger(__name__)
_PAST: Final = timedelta(minutes=4_000)
"""Enough for 666 bars of five minutes, and little enough that nine coins come at once within the venue's limits."""

_A_MOMENT: Final = timedelta(seconds=5)
_SEAM: Final = timedelta(minutes=10)
_Result = TypeVar("_Result")


class InitialBackfill:
    """Loads the venue's candles when they come, and the minute in which the stream began once that is over.

    Of that minute the stream saw only a part; the venue's candle is whole.
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
        self._come: asyncio.Queue[tuple[History, Mapping[str, int]]] = asyncio.Queue()

    def add(self, venue: VenueKey, instruments: Mapping[str, int]) -> None:
        """Whoever has a past already, or comes from a venue that keeps none, is left as it is."""
        if venue in self._histories:
            self._come.put_nowait((self._histories[venue], instruments))

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._give_past(*await self._come.get()))

    async def _give_past(self, history: History, instruments: Mapping[str, int]) -> None:
        began = self._clock()
        lacking = await self._insist(lambda connection: without_history(connection, instruments))
        for token, number in lacking.items():
            loaded = await self._load(history, token, number, began - _PAST)
            _log.info("%d candles of %s are there", loaded, token)
        if lacking:
            whole_at = Timeframe.M1.end_of(began + _A_MOMENT) + _A_MOMENT
            await asyncio.sleep((whole_at - self._clock()).total_seconds())
            for token, number in lacking.items():
                await self._load(history, token, number, began - _SEAM)

    async def _load(self, history: History, token: str, number: int, since: datetime) -> int:
        return await self._insist(
            lambda connection: load_candles(connection, history, token, number, since, self._clock())
        )

    async def _insist(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        """Try until venue and database have done it; nothing is harmed by doing it twice."""
        for pause in pauses():
            try:
                connection = await self._open()
                try:
                    return await work(connection)
                finally:
                    await connection.close()
            except (FeedError, OSError, InterfaceError, PostgresError) as error:
                _log.warning("history cannot be loaded now: %s", error)
                await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")
