"""Bars as NumPy columns, and the check of their values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from strandline.engine.records import Bits, Floats, Ints
from strandline.model.bar import Bar, GapType
from strandline.model.timeframe import Timeframe

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FULL_RANGE: Final = frozenset({Timeframe.H4, Timeframe.D1})

GAPS: Final = (None, GapType.OVERNIGHT, GapType.WEEKEND, GapType.HOLIDAY, GapType.OUTAGE, GapType.QUIET)
"""What the numbers in the column `gap` mean."""

LAST_SESSION_GAP: Final = GAPS.index(GapType.HOLIDAY)
"""From 1 to here a session began with the bar; after it the market was open and we have no bars."""


class Bars(NamedTuple):
    """Columns of bars, series after series in bar order; `ts` in microseconds since 1970, an unknown volume is NaN.

    `gap` is what lies before the bar, as a place in `GAPS`; `full_range` is set where the rules take the full ATR.
    """

    ts: Ints
    revision: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    gap: Bits
    gap_magnitude_pct: Floats
    full_range: Bits


def columns(bars: Sequence[Bar]) -> Bars:
    """Convert bars to columns."""
    return as_bars(
        [micros(bar.ts) for bar in bars],
        [bar.revision for bar in bars],
        [bar.open for bar in bars],
        [bar.high for bar in bars],
        [bar.low for bar in bars],
        [bar.close for bar in bars],
        [bar.volume for bar in bars],
        [gap_number(bar.gap_type) for bar in bars],
        [bar.gap_magnitude_pct for bar in bars],
        [takes_full_range(bar.timeframe) for bar in bars],
    )


def as_bars(*values: object) -> Bars:
    """Make columns from anything that NumPy can read; None becomes NaN."""
    kinds = ("i8", "i8", "f8", "f8", "f8", "f8", "f8", "u1", "f8", "u1")
    return Bars(*(np.ascontiguousarray(column, kind) for column, kind in zip(values, kinds, strict=True)))


def gap_number(gap: GapType | str | None) -> int:
    """The place of a gap in `GAPS`."""
    return GAPS.index(gap and GapType(gap))


def takes_full_range(timeframe: Timeframe) -> bool:
    """Whether the ATR of the rules has the jumps between sessions in it: on 4h and 1d."""
    return timeframe in _FULL_RANGE


def select(bars: Bars, rows: Ints) -> Bars:
    """The bars of these rows."""
    return Bars._make(column[rows] for column in bars)


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(ts: int) -> datetime:
    """The instant so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=ts)
