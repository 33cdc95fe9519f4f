"""Keeps requests within a rate limit."""

import asyncio

from strandline.venues.limits import RateLimit


class RateLimiter:
    """A token bucket; it starts full."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._available = limit.burst
        self._updated_at: float | None = None

    async def acquire(self, amount: float = 1.0) -> None:
        """Wait until this much is allowed. The balance may go below zero, so that callers are served in turn."""
        now = asyncio.get_running_loop().time()
        gained = 0.0 if self._updated_at is None else (now - self._updated_at) * self._limit.per_second
        self._available = min(self._limit.burst, self._available + gained) - amount
        self._updated_at = now
        if self._available < 0:
            await asyncio.sleep(-self._available / self._limit.per_second)
