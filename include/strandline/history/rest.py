"""Makes units of the candles that a venue serves: a day of minutes each, or as many longer ones."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Final

from strandline.history.candles import CANDLE_DELAY, SeriesKey, store_candles
from strandline.history.loads import record_load, take_turns
from strandline.history.units import Loaded, Unit, UnitKey
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError
from strandline.venues.history import Candle, History

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CANDLES: Final = 1_440
_ATTEMPTS: Final = 6
"""With the pauses between them, half a minute: enough for a rate limit to be over."""


def rest_units(
    history: History,
    timeframe: Timeframe,
    instruments: Mapping[str, int],
    starts_at: datetime,
    ends_at: datetime,
    as_of: datetime,
) -> Iterator[Unit]:
    """Plan the candles that start in this time and have closed, the oldest first."""
    ends_at = min(ends_at, timeframe.start_of(as_of - CANDLE_DELAY))
    first = timeframe.end_of(starts_at - timedelta(microseconds=1))
    period = _CANDLES * timeframe.length
    while first < ends_at:
        end = min(first - (first - _EPOCH) % period + period, ends_at)
        for token, number in instruments.items():
            yield _unit(history, SeriesKey(number, timeframe), token, (first, end), as_of)
        first = end


def _unit(history: History, series: SeriesKey, token: str, asked: tuple[datetime, datetime], as_of: datetime) -> Unit:
    timeframe = series.timeframe
    key = UnitKey(HistorySource.REST, f"candles/{timeframe}/{asked[0]:%Y%m%d}", *asked)

    async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
        rows = [(wanted[token], *candle) for candle in await _fetch(history, timeframe, token, key)]
        if not rows:
            # Not recorded, so that it is asked for again: perhaps the venue is behind.
            return {}
        digest = sha256(repr(rows).encode()).hexdigest()
        async with connection.transaction():
            await take_turns(connection)
            counts = await store_candles(connection, timeframe, rows, as_of, replace=True)
            await record_load(connection, key, digest, counts, as_of)
        return counts

    instruments = {token: series.instrument_id}
    return Unit(f"{token} {key.name}", instruments, lambda: key, load, asked[1], since=asked[0], until=asked[1])


async def _fetch(history: History, timeframe: Timeframe, token: str, key: UnitKey) -> list[Candle]:
    """Ask until the venue answers, with growing pauses; raises `FeedError` when it does not."""
    for pause in islice(pauses(), _ATTEMPTS - 1):
        try:
            return await _ask(history, timeframe, token, key)
        except FeedError:
            await asyncio.sleep(pause)
    return await _ask(history, timeframe, token, key)


async def _ask(history: History, timeframe: Timeframe, token: str, key: UnitKey) -> list[Candle]:
    found = await history.candles(token, timeframe, key.starts_at, key.ends_at + CANDLE_DELAY)
    return [candle for candle in found if candle.ts < key.ends_at]
