"""Reads Hyperliquid's candles: the newest five thousand of each timeframe."""

from datetime import datetime, timedelta
from typing import Final

from strandline.model.timeframe import Timeframe
from strandline.venues.feed import FeedError
from strandline.venues.history import Candle
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.limits import HISTORY_LIMITS
from strandline.venues.hyperliquid.public import request
from strandline.venues.hyperliquid.wire import milliseconds, read_candles
from strandline.venues.rate_limiter import RateLimiter

# A candle whose end is nearer than this may still be forming at the venue: clocks differ.
_SETTLED: Final = timedelta(seconds=2)


class HyperliquidHistory:
    """Requests candles within the venue's rate limit."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, url: str, processes: int = 1) -> None:
        """`processes` is how many share the venue's limits."""
        self._url = url
        self._rate_limiter = RateLimiter(HISTORY_LIMITS.rate.divided(processes))
        self._spare_limiter = RateLimiter(HISTORY_LIMITS.spare_rate.divided(processes))

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        """Read the final candles that have trades; bars without trades do not exist here either."""
        newest = timeframe.last_final(as_of - _SETTLED)
        first = max(since, newest - (HISTORY_LIMITS.candles - 1) * timeframe.length)
        if newest < first:
            return []
        weight = _weight((newest - first) // timeframe.length + 1)
        if spare:
            await self._spare_limiter.acquire(weight)
            await self._rate_limiter.acquire_spare(weight)
        else:
            await self._rate_limiter.acquire(weight)
        wanted = {
            "coin": token,
            "interval": timeframe.value,
            "startTime": milliseconds(first),
            "endTime": milliseconds(newest),
        }
        body = await request(self._url, {"type": "candleSnapshot", "req": wanted})
        try:
            found = read_candles(body)
        except ValueError as error:
            raise FeedError(f"Hyperliquid's candles of {token} make no sense: {error}") from error
        return [candle for candle in found if candle.trades and first <= candle.ts <= newest]


def _weight(candles: int) -> float:
    return 20 + candles / 60
