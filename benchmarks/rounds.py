"""Measures two sides in turns, so that whatever else the machine does meets both alike."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Final, NamedTuple, TypeVar

_Measured = TypeVar("_Measured")

ROUNDS: Final = 5


class Rounds(NamedTuple):
    """What one figure was on each side, round by round."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def speedup(self) -> float:
        """The same of the other side's time to ours."""
        return median(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))


def in_turns(
    ours: Callable[[], _Measured], theirs: Callable[[], _Measured], rounds: int = ROUNDS
) -> Iterable[tuple[_Measured, _Measured]]:
    """Run both sides in each round, and each side first in every other round."""
    for number in range(rounds):
        if number % 2:
            second = theirs()
            yield ours(), second
        else:
            yield ours(), theirs()
