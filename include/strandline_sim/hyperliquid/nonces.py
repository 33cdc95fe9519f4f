"""Which nonces a signer has used: the hundred highest are remembered, and everything below them is too old."""

from bisect import insort
from typing import Final

_KEPT: Final = 100
_DAY: Final = 86_400_000
_PAST: Final = 2 * _DAY
_FUTURE: Final = _DAY


class Nonces:
    """One signer's."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def use(self, nonce: int, now: int | None) -> str | None:
        """Take it, or say why not. Without `now` any time will do."""
        if nonce in self._kept:
            return f"Invalid nonce: duplicate nonce {nonce}"
        lowest = self._kept[0] if len(self._kept) >= _KEPT else 0
        if now is not None:
            lowest = max(lowest, now - _PAST)
            if nonce >= now + _FUTURE:
                return f"Invalid nonce: nonce too high {nonce} > {now + _FUTURE}"
        if nonce <= lowest:
            return f"Invalid nonce: nonce too low {nonce} < {lowest}"
        insort(self._kept, nonce)
        del self._kept[:-_KEPT]
        return None
