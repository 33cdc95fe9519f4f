"""Timeouts and pauses of requests to Solana."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Timeouts(NamedTuple):
    """Timeouts and pauses in seconds. A swap is confirmed after one or two, a failure final after 13."""

    order: float = 30.0
    pause: float = 0.5
    resend: float = 2.0
    recheck: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    elapsed: Callable[[], float] = time.monotonic
