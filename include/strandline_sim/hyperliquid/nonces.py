"""The nonces that a signer has used: the hundred highest are kept, and lower ones are refused."""

from bisect import insort
from typing import Final

_MAX_KEPT: Final = 100
_DAY: Final = 86_400_000
_MAX_AGE: Final = 2 * _DAY
_MAX_AHEAD: Final = _DAY


class Nonces:
    """The nonces of one signer."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def use(self, nonce: int, now: int | None) -> str | None:
        """Use a nonce, or return the error; without `now` its distance from the time is not checked."""
        if nonce in self._kept:
            return f"Invalid nonce: duplicate nonce {nonce}"
        lowest = self._kept[0] if len(self._kept) >= _MAX_KEPT else 0
        if now is not None:
            lowest = max(lowest, now - _MAX_AGE)
            if nonce >= now + _MAX_AHEAD:
                return f"Invalid nonce: nonce too high {nonce} > {now + _MAX_AHEAD}"
        if nonce <= lowest:
            return f"Invalid nonce: nonce too low {nonce} < {lowest}"
        insort(self._kept, nonce)
        del self._kept[:-_MAX_KEPT]
        return None
