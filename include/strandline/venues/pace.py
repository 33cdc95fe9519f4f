"""Keeps requests within what a venue allows."""

import asyncio


class Pace:
    """So much at once, and so much more with each second."""

    def __init__(self, at_once: float, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left = at_once
        self._counted_at: float | None = None

    async def spend(self, amount: float = 1.0) -> None:
        """Wait until this much is allowed; callers are served in turn because what is taken may be owed."""
        now = asyncio.get_running_loop().time()
        earned = 0.0 if self._counted_at is None else (now - self._counted_at) * self._per_second
        self._left = min(self._at_once, self._left + earned) - amount
        self._counted_at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_second)
