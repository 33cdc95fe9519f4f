"""Decides which minutes a batch of ticks marks as dirty: open ones once, those that may be over each time."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from strandline.model.instants import MICROSECONDS_A_MINUTE, from_microseconds
from strandline.venues.packed_ticks import PackedTicks

InstrumentMinute = tuple[int, datetime]

_INSTRUMENT_BITS: Final = 31
_INSTRUMENTS: Final = 2**_INSTRUMENT_BITS - 1
_MINUTE: Final = timedelta(minutes=1)
_MARGIN: Final = timedelta(seconds=5)
"""The clocks of the sidecar and of the rollup may differ by so much."""


def minutes_of(ticks: PackedTicks) -> set[InstrumentMinute]:
    """The minutes in which these ticks are."""
    # Both in one number, since there are few different ones: until the year 9999 a minute's has 32 bits.
    numbers = set((ticks["ts"] // MICROSECONDS_A_MINUTE << _INSTRUMENT_BITS | ticks["instrument_id"]).tolist())
    return {
        (number & _INSTRUMENTS, from_microseconds((number >> _INSTRUMENT_BITS) * MICROSECONDS_A_MINUTE))
        for number in numbers
    }


class DirtyMinutes:
    """The open minutes whose marks are committed.

    The rollup takes a mark when its minute is over, and then reads the ticks. So a tick needs no mark of its own if one
    is committed already and the tick will be committed before its minute is over.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._marked: set[InstrumentMinute] = set()

    def due(self, minutes: Collection[InstrumentMinute]) -> set[InstrumentMinute]:
        """Return those that must be marked in the transaction of their ticks."""
        closing = self._clock() + _MARGIN
        return {minute for minute in minutes if minute not in self._marked or _end(minute) <= closing}

    def committed(
        self, minutes: Collection[InstrumentMinute], marked: Collection[InstrumentMinute]
    ) -> set[InstrumentMinute]:
        """Note a commit of ticks in `minutes`; return those that must be marked once more, because it took too long."""
        now = self._clock()
        self._marked = {minute for minute in self._marked.union(marked) if _end(minute) > now}
        return {minute for minute in minutes if minute not in marked and _end(minute) <= now + _MARGIN}


def _end(minute: InstrumentMinute) -> datetime:
    return minute[1] + _MINUTE
