"""Exponential backoff with jitter."""

import random
from collections.abc import Iterator
from typing import Final

_FIRST: Final = 1.0
_LONGEST: Final = 60.0


def pauses(first: float = _FIRST, longest: float = _LONGEST) -> Iterator[float]:
    """Yield seconds to wait before each retry: doubling up to the longest, with jitter against retries in step."""
    pause = first
    while True:
        yield max(first, pause * random.uniform(0.5, 1.0))  # noqa: S311  not a secret
        pause = min(2 * pause, longest)
