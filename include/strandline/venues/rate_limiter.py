"""Keeps requests within a rate limit."""

import asyncio
from typing import Final

from strandline.venues.limits import RateLimit

_LEAST_SLEEP: Final = 0.001
"""A rounded rest of nothing must not become a loop without a pause."""


class RateLimiter:
    """A token bucket; it starts full."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._available = limit.burst
        self._updated_at: float | None = None

    async def acquire(self, amount: float = 1.0) -> None:
        """Wait until this much is allowed. The balance may go below zero, so that callers are served in turn."""
        self._refill()
        self._available -= amount
        if self._available < 0:
            await asyncio.sleep(-self._available / self._limit.per_second)

    async def acquire_spare(self, amount: float) -> None:
        """Wait until nothing is used of the burst: whoever calls `acquire` meanwhile is served first."""
        self._refill()
        while (used := self._limit.burst - self._available) > 0:
            await asyncio.sleep(max(used / self._limit.per_second, _LEAST_SLEEP))
            self._refill()
        await self.acquire(amount)

    def _refill(self) -> None:
        now = asyncio.get_running_loop().time()
        gained = 0.0 if self._updated_at is None else (now - self._updated_at) * self._limit.per_second
        self._available = min(self._limit.burst, self._available + gained)
        self._updated_at = now
