"""Loads the venue's candles of the minutes that the stream missed."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, NamedTuple

from strandline.history.candles import CANDLE_DELAY, SERVED, store_candles
from strandline.history.repairs import LoadedTime, mark_repaired
from strandline.history.retry import OpenConnection, retry
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.connect_async import Connection
from strandline.venues.history import History

_log = logging.getLogger(__name__)
_INTERVAL_SECONDS: Final = 5.0


class Missed(NamedTuple):
    """An instrument, and the time from the first to the last minute that it missed."""

    instrument_id: int
    venue: VenueKey
    token: str
    since: datetime
    until: datetime


class OutageRepair:
    """Repairs what is over; the rollup finds the candles and says in its bars that they are repaired.

    What is older than a venue serves is left to archives; as much of it as there is is loaded once.
    """

    def __init__(
        self,
        open_connection: OpenConnection,
        histories: Collection[History],
        clock: Callable[[], datetime],
        owns: Callable[[VenueKey, str], bool] = lambda *_: True,
    ) -> None:
        """`owns` says which tokens this process repairs."""
        self._owns = owns
        self._open = open_connection
        self._histories = {history.venue: history for history in histories}
        self._clock = clock
        self._tried: set[Missed] = set()

    async def run(self) -> None:
        """Repair until cancelled."""
        while True:
            for missed in await retry(self._open, self._find):
                await self._repair(self._histories[missed.venue], missed)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def _find(self, connection: Connection) -> list[Missed]:
        now = self._clock()
        found = await find_missed(connection, now - SERVED, now - CANDLE_DELAY)
        return [
            missed
            for missed in found
            if missed.venue in self._histories and self._owns(missed.venue, missed.token) and missed not in self._tried
        ]

    async def _repair(self, history: History, missed: Missed) -> None:
        now = self._clock()
        since = max(missed.since, now - SERVED)

        async def load(connection: Connection) -> int:
            candles = await history.candles(missed.token, Timeframe.M1, since, missed.until + CANDLE_DELAY)
            async with connection.transaction():
                rows = [(missed.instrument_id, *candle) for candle in candles]
                await store_candles(connection, Timeframe.M1, rows, now, replace=True)
                await mark_repaired(connection, [LoadedTime(missed.instrument_id, since, missed.until)], now)
            return len(candles)

        loaded = await retry(self._open, load)
        _log.info("loaded %d candles of %s, which missed trades from %s on", loaded, missed.token, missed.since)
        if since > missed.since:
            self._tried.add(missed)
            _log.warning("the venue no longer has the candles of %s from %s on", missed.token, missed.since)


async def find_missed(connection: Connection, after: datetime, before: datetime) -> list[Missed]:
    """Find what ended between these times and is not repaired, the newest first: new bars wait for it.

    What the beginning of a stream missed begins where the candles end that were loaded before it began, which may be
    long before.
    """
    rows = await connection.fetch(
        """
        SELECT instrument_id, token_chain, book_id, token_contract, min(starts_at) AS since, max(ends_at) AS until
        FROM (
          SELECT instrument_id, LEAST(starts_at, loaded.until) AS starts_at, ends_at
          FROM outages o LEFT JOIN LATERAL (
            SELECT max(c.ts) + interval '1 minute' AS until FROM venue_candles c
            WHERE c.instrument_id = o.instrument_id AND c.timeframe = '1m'
              AND c.ts > $1::timestamptz + interval '1 hour' AND c.ts < o.starts_at
              AND NOT EXISTS (SELECT FROM outages earlier
                              WHERE earlier.instrument_id = o.instrument_id AND earlier.starts_at < o.starts_at)
          ) AS loaded ON true
          WHERE repaired_at IS NULL AND ends_at > $1 AND ends_at <= $2
          UNION ALL
          SELECT instrument_id, minute, minute + interval '1 minute' FROM dropped_ticks
          WHERE repaired_at IS NULL AND minute > $1 AND minute <= $2 - interval '1 minute'
        ) AS missed JOIN instruments USING (instrument_id)
        GROUP BY 1, 2, 3, 4 ORDER BY until DESC, instrument_id
        """,
        after,
        before,
    )
    return [
        Missed(
            row["instrument_id"],
            VenueKey(token_chain=row["token_chain"], book_id=row["book_id"]),
            row["token_contract"],
            row["since"],
            row["until"],
        )
        for row in rows
    ]
