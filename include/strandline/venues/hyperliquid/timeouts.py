"""How long to wait for what."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Timeouts(NamedTuple):
    """In seconds. A question is asked so often; so often one looks for fills that were announced already."""

    answer: float = 5.0
    order: float = 10.0
    tries: int = 3
    looks: int = 6
    pause: float = 0.5
    sleep: Callable[[float], None] = time.sleep
