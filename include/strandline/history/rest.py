"""Makes units of the candles that a venue serves: one for each instrument and day."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Final

from strandline.history.candles import store_candles
from strandline.history.loads import record_load, take_turns
from strandline.history.units import Loaded, Unit, UnitKey
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError
from strandline.venues.history import Candle, History

_DAY: Final = timedelta(days=1)
_SETTLING: Final = timedelta(seconds=5)
"""The venue's newest candle may still change for so long after its end."""

_ATTEMPTS: Final = 6
"""With the pauses between them, half a minute: enough for a rate limit to be over."""


def rest_units(
    history: History, instruments: Mapping[str, int], starts_at: datetime, ends_at: datetime, as_of: datetime
) -> Iterator[Unit]:
    """Plan the candles of one minute that start in this time and have closed, the oldest day first."""
    ends_at = min(ends_at, Timeframe.M1.start_of(as_of - _SETTLING))
    first = Timeframe.M1.end_of(starts_at - timedelta(microseconds=1))
    while first < ends_at:
        end = min(Timeframe.D1.end_of(first), ends_at)
        for token, number in instruments.items():
            yield _unit(history, token, number, (first, end), as_of)
        first = end


def _unit(history: History, token: str, number: int, asked: tuple[datetime, datetime], as_of: datetime) -> Unit:
    key = UnitKey(HistorySource.REST, f"candles/{asked[0]:%Y%m%d}", *asked)

    async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
        rows = [(wanted[token], *candle) for candle in await _fetch(history, token, key)]
        if not rows:
            # Not recorded, so that it is asked for again: perhaps the venue is behind.
            return {}
        digest = sha256(repr(rows).encode()).hexdigest()
        async with connection.transaction():
            await take_turns(connection)
            counts = await store_candles(connection, Timeframe.M1, rows, as_of, replace=True)
            await record_load(connection, key, digest, counts, as_of)
        return counts

    return Unit(f"{token} {key.name}", {token: number}, lambda: key, load, complete_until=asked[1])


async def _fetch(history: History, token: str, key: UnitKey) -> list[Candle]:
    """Ask until the venue answers, with growing pauses; raises `FeedError` when it does not."""
    for pause in islice(pauses(), _ATTEMPTS - 1):
        try:
            return await _ask(history, token, key)
        except FeedError:
            await asyncio.sleep(pause)
    return await _ask(history, token, key)


async def _ask(history: History, token: str, key: UnitKey) -> list[Candle]:
    found = await history.candles(token, Timeframe.M1, key.starts_at, key.ends_at + _SETTLING)
    return [candle for candle in found if candle.ts < key.ends_at]
