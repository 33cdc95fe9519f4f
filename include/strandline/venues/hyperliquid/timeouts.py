"""Timeouts and retries of requests to Hyperliquid."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Timeouts(NamedTuple):
    """Timeouts in seconds; how often to try a reading request, and to poll for fills that are not listed yet."""

    request: float = 5.0
    order: float = 10.0
    attempts: int = 3
    fill_polls: int = 6
    pause: float = 0.5
    sleep: Callable[[float], None] = time.sleep
