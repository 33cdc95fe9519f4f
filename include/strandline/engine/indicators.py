"""The indicators: each bar moves every average by one step and writes down what it is now."""

import math
from typing import Final

from strandline.engine.arithmetic import clip, log, mean, over, share, slope
from strandline.engine.bars import Bars
from strandline.engine.compiled import part
from strandline.engine.memory import Memory
from strandline.engine.records import Bits, Floats, Ints
from strandline.engine.results import Indicators
from strandline.model.strategy import Strategy

E20: Final = 0
E30: Final = 1
E60: Final = 2
E144: Final = 3
E250: Final = 4
E333: Final = 5
_NEUTRAL_RSI: Final = 50.0


@part
def measure(m: Memory, bars: Bars, i: int, p: Strategy, now: Indicators) -> bool:
    """Take in bar `i`; tells whether its volume is known. What is written before the windows are full means nothing."""
    _averages(m, bars.close[i], p, now)
    _structure(m, bars.low[i], bars.close[i], now)
    if m.bars > 1:
        _ranges(m, bars, i, p, now)
        _strength(m, bars.close[i] - m.close, p)
    _slopes(m, now)
    m.high = bars.high[i]
    m.low = bars.low[i]
    m.close = bars.close[i]
    known = not math.isnan(bars.volume[i])
    now.vo_z = _volume(m, bars.volume[i], p) if known else 0.0
    return known


@part
def push(window: Floats | Ints | Bits, value: float) -> None:
    """Newest last."""
    for i in range(len(window) - 1):
        window[i] = window[i + 1]
    window[len(window) - 1] = value


@part
def _averages(m: Memory, close: float, p: Strategy, now: Indicators) -> None:
    for k in range(len(m.ema)):
        if m.bars == 1:
            m.ema[k] = close
        else:
            m.ema[k] += 2.0 / (p.indicators.ema_bars[k] + 1.0) * (close - m.ema[k])
        push(m.ema_values[k], m.ema[k])
    now.close = close
    now.ema20 = m.ema[E20]
    now.ema30 = m.ema[E30]
    now.ema60 = m.ema[E60]
    now.ema144 = m.ema[E144]
    now.ema250 = m.ema[E250]
    now.ema333 = m.ema[E333]
    push(m.separation_fast, (now.ema20 - now.ema60) / now.ema60)
    push(m.separation_mid, (now.ema60 - now.ema144) / now.ema144)
    now.dsep_fast = m.separation_fast[len(m.separation_fast) - 1] - m.separation_fast[0]
    now.dsep_mid = m.separation_mid[len(m.separation_mid) - 1] - m.separation_mid[0]


@part
def _structure(m: Memory, low: float, close: float, now: Indicators) -> None:
    push(m.lower_lows, m.bars > 1 and low < m.low)
    push(m.under_ema60, close < now.ema60)
    now.lower_low_share = share(m.lower_lows)
    now.under_ema60_share = share(m.under_ema60)


@part
def _ranges(m: Memory, bars: Bars, i: int, p: Strategy, now: Indicators) -> None:
    """ATR, and the directional movement of which ADX is made; ADX always counts the whole range."""
    n, seen = p.indicators.wilder_bars, m.bars - 1
    inside = bars.high[i] - bars.low[i]
    whole = max(inside, abs(bars.high[i] - m.close), abs(bars.low[i] - m.close))
    up, down = bars.high[i] - m.high, m.low - bars.low[i]
    m.atr = _wilder(m.atr, inside if bars.jump_ignored[i] else whole, seen, n)
    m.true_range = _wilder(m.true_range, whole, seen, n)
    m.plus_move = _wilder(m.plus_move, up if up > down and up > 0.0 else 0.0, seen, n)
    m.minus_move = _wilder(m.minus_move, down if down > up and down > 0.0 else 0.0, seen, n)
    if seen >= n:
        plus, minus = over(m.plus_move, m.true_range), over(m.minus_move, m.true_range)
        m.adx = _wilder(m.adx, 100.0 * over(abs(plus - minus), plus + minus), seen - n + 1, n)
    push(m.atr_values, m.atr)
    push(m.adx_values, m.adx)
    usual = mean(m.atr_values)
    now.atr = m.atr
    now.adx = m.adx
    now.atr_ratio = m.atr / usual if usual > 0.0 else 1.0


@part
def _strength(m: Memory, change: float, p: Strategy) -> None:
    """RSI; 50 while nothing moves."""
    n, seen = p.indicators.wilder_bars, m.bars - 1
    m.gain = _wilder(m.gain, max(change, 0.0), seen, n)
    m.loss = _wilder(m.loss, max(-change, 0.0), seen, n)
    moved = m.gain + m.loss
    push(m.rsi_values, 100.0 * m.gain / moved if moved > 0.0 else _NEUTRAL_RSI)


@part
def _slopes(m: Memory, now: Indicators) -> None:
    now.slope20 = slope(m.ema_values[E20]) / m.ema[E20]
    now.slope60 = slope(m.ema_values[E60]) / m.ema[E60]
    now.slope144 = slope(m.ema_values[E144]) / m.ema[E144]
    now.slope250 = slope(m.ema_values[E250]) / m.ema[E250]
    now.slope333 = slope(m.ema_values[E333]) / m.ema[E333]
    push(m.slope144_values, now.slope144)
    now.rsi = m.rsi_values[len(m.rsi_values) - 1]
    now.rsi_slope = slope(m.rsi_values)
    now.adx_slope = slope(m.adx_values)


@part
def _volume(m: Memory, volume: float, p: Strategy) -> float:
    """How unusual it is, measured against the bars before it; then they include it."""
    x = log(1.0 + volume)
    z = 0.0
    if m.volume_variance > 0.0:
        bounds = p.indicators.volume_z
        z = clip((x - m.volume_mean) / math.sqrt(m.volume_variance), bounds[0], bounds[1])
    m.volumes += 1
    if m.volumes == 1:
        m.volume_mean = x
    else:
        alpha = 2.0 / (p.indicators.volume_span_bars + 1.0)
        away = x - m.volume_mean
        m.volume_mean += alpha * away
        m.volume_variance = (1.0 - alpha) * (m.volume_variance + alpha * away * away)
    return z


@part
def _wilder(average: float, value: float, seen: int, n: int) -> float:
    """The plain mean of the first `n` values, then Wilder's smoothing; `seen` counts this value too."""
    return average + (value - average) / min(seen, n)
