"""The other side: the engine's indicators by TA-Lib, over a whole history for each new bar."""

from collections.abc import Iterable
from typing import Final

import talib

from benchmarks.engine.series import Floats
from strandline.engine import Bars

_SPANS: Final = (20, 30, 60, 144, 250, 333)
_WILDER: Final = 14
_SLOPE: Final = 10
_USUAL_RANGE: Final = 20


def indicators(high: Floats, low: Floats, close: Floats) -> tuple[Floats, ...]:
    """What TA-Lib has of the engine's indicators. It has neither scores nor levels nor states, and needs no volume."""
    averages = [talib.EMA(close, span) for span in _SPANS]
    ema20, _, *slower = averages
    atr = talib.ATR(high, low, close, _WILDER)
    strength = [talib.RSI(close, _WILDER), talib.ADX(high, low, close, _WILDER)]
    slopes = [talib.LINEARREG_SLOPE(values, _SLOPE) for values in (ema20, *slower, *strength)]
    return (*averages, atr, talib.SMA(atr, _USUAL_RANGE), *strength, *slopes)


def indicators_of_all(series: Iterable[Bars]) -> None:
    """Compute them for each of these series."""
    for bars in series:
        indicators(bars.high, bars.low, bars.close)
