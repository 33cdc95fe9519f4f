"""Checks bars before any state moves: the engine never guesses, and each bar moves its series once."""

import math
from typing import Final

from strandline.engine.bars import GAPS, Bars, instant
from strandline.engine.compilation import compiled
from strandline.engine.records import Ints, Records
from strandline.model.record import require

NO_FAULT: Final = 0
_FAULTS: Final = (
    "",
    "a price is missing or not above zero",
    "open and close do not lie between low and high",
    "a volume is negative or infinite",
    "a gap is of no known type",
    "the magnitude of its gap is not a number",
    "each bar must be newer than the one that its series took last",
)
_PRICE, _RANGE, _VOLUME, _GAP, _MAGNITUDE, _ORDER = range(1, len(_FAULTS))
_KINDS_OF_GAPS: Final = len(GAPS)


def check_lengths(bars: Bars) -> None:
    """Raise ValueError if the columns are not of one length."""
    require(len({len(column) for column in bars}) == 1, "the columns of the bars differ in length")


def raise_fault(fault: int, bars: Bars, row: int) -> None:
    """Raise ValueError for a fault of a bar, in words."""
    if fault != NO_FAULT:
        raise ValueError(f"bar {instant(int(bars.ts[row])).isoformat()}: {_FAULTS[fault]}")


@compiled
def first_fault(states: Records, ends: Ints, bars: Bars) -> tuple[int, int]:
    """The first fault and the row of its bar, or NO_FAULT."""
    i = 0
    for series in range(len(states)):
        last = states[series].ts
        while i < ends[series]:
            fault = _fault(bars, i, last)
            if fault != NO_FAULT:
                return fault, i
            last = bars.ts[i]
            i += 1
    return NO_FAULT, 0


@compiled
def _fault(bars: Bars, i: int, last: int) -> int:
    open_, high, low, close, volume = bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i]
    if not (open_ > 0.0 and high > 0.0 and low > 0.0 and close > 0.0 and max(open_, high, low, close) < math.inf):
        return _PRICE
    if not (low <= min(open_, close) and high >= max(open_, close)):
        return _RANGE
    if volume < 0.0 or volume == math.inf:
        return _VOLUME
    if bars.gap[i] >= _KINDS_OF_GAPS:
        return _GAP
    if not math.isfinite(bars.gap_magnitude_pct[i]):
        return _MAGNITUDE
    return NO_FAULT if bars.ts[i] > last else _ORDER
