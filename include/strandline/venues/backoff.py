"""How long to wait before trying again."""

import random
from collections.abc import Iterator
from typing import Final

_FIRST: Final = 1.0
_LONGEST: Final = 60.0


def pauses(first: float = _FIRST, longest: float = _LONGEST) -> Iterator[float]:
    """Seconds, doubling up to the longest, each with some luck, so that many clients do not come back at once."""
    pause = first
    while True:
        yield max(first, pause * random.uniform(0.5, 1.0))  # noqa: S311  no secret hangs on it
        pause = min(2 * pause, longest)
