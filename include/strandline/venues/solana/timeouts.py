"""How long to wait for what."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Timeouts(NamedTuple):
    """In seconds. An order is waited for so long: a swap is confirmed after one or two, a failure final after 13."""

    for_order: float = 30.0
    look: float = 0.5
    send_again: float = 2.0
    look_again: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    elapsed: Callable[[], float] = time.monotonic
