"""Builds candles from minutes."""

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from strandline_sim.market.minutes import Minutes
from strandline_sim.market.price_grid import Ints


class Candle(NamedTuple):
    """A candle of one symbol over [time, time + interval); without a trade there is none."""

    time: int
    interval: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int


class Columns(NamedTuple):
    """Candles as columns, in whole units; `bucket` counts intervals from the first minute."""

    bucket: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints


def aggregate(minutes: Minutes, minutes_per_candle: int) -> Columns:
    """Build candles from consecutive minutes, the first of which starts a candle."""
    traded = np.flatnonzero(minutes.trades)
    bucket = traded // minutes_per_candle
    first = np.flatnonzero(np.diff(bucket, prepend=-1))
    if not len(first):
        return Columns(*(np.zeros(0, dtype=np.int64) for _ in Columns._fields))
    last = np.append(first[1:], len(traded)) - 1
    return Columns(
        bucket[first],
        minutes.open[traded[first]],
        np.maximum.reduceat(minutes.high[traded], first),
        np.minimum.reduceat(minutes.low[traded], first),
        minutes.close[traded[last]],
        np.add.reduceat(minutes.volume[traded], first),
        np.add.reduceat(minutes.trades[traded], first),
    )
