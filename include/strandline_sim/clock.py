"""The simulation's clock: it runs at any speed, or stands still until it is stepped."""

import asyncio
import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


class Clock(ABC):
    """Virtual time in milliseconds since the epoch, the venues' own unit."""

    _pin: int | None = None

    def now(self) -> int:
        """Return the current time."""
        return self._time() if self._pin is None else self._pin

    @contextmanager
    def pinned(self, instant: int) -> Iterator[None]:
        """Stop the clock at this instant within the block, so that all of a command happens at one time."""
        before, self._pin = self._pin, instant
        try:
            yield
        finally:
            self._pin = before

    @abstractmethod
    def _time(self) -> int:
        """Return the current time of a clock that is not pinned."""

    @abstractmethod
    async def wait_until(self, instant: int) -> None:
        """Wait until this instant; return immediately if it has passed."""


class RunningClock(Clock):
    """Runs by itself, `speed` times as fast as real time."""

    def __init__(self, start: int, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above zero, got {speed}; a clock that stands still is a SteppedClock")
        self.speed = speed
        self._start = start
        self._started = time.monotonic_ns()

    def _time(self) -> int:
        return self._start + int((time.monotonic_ns() - self._started) * self.speed) // 1_000_000

    async def wait_until(self, instant: int) -> None:
        """Wait until this instant."""
        while (left := instant - self.now()) > 0:
            await asyncio.sleep(left / 1000 / self.speed)


class SteppedClock(Clock):
    """Stands still until `step`; waiting tasks are woken in the order of their instants."""

    def __init__(self, start: int) -> None:
        self._now = start
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def _time(self) -> int:
        return self._now

    async def wait_until(self, instant: int) -> None:
        """Wait until a step reaches this instant."""
        if instant > self._now:
            future = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (instant, next(self._order), future))
            await future

    async def step(self, milliseconds: int) -> None:
        """Advance, with a stop at each instant that a task waits for, so that it runs at that time."""
        if milliseconds < 0:
            raise ValueError("time does not go back")
        end = self._now + milliseconds
        while self._waiting and self._waiting[0][0] <= end:
            instant, _, future = heapq.heappop(self._waiting)
            self._now = max(self._now, instant)
            if not future.done():
                future.set_result(None)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        self._now = end
