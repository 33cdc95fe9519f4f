"""The indicators: each bar moves every average by one step."""

import math
from typing import Final

from strandline.engine.arithmetic import clip, log, mean, safe_ratio, share, slope
from strandline.engine.bars import LAST_SESSION_GAP, Bars
from strandline.engine.compilation import compiled
from strandline.engine.records import Bits, Floats, Ints
from strandline.engine.results import Indicators
from strandline.engine.series_state import SeriesState, SeriesStateWithViews
from strandline.model.strategy import Strategy

E20: Final = 0
E30: Final = 1
E60: Final = 2
E144: Final = 3
E250: Final = 4
E333: Final = 5
_NEUTRAL_RSI: Final = 50.0


@compiled
def update_indicators(s: SeriesStateWithViews, bars: Bars, i: int, p: Strategy, now: Indicators) -> bool:
    """Add bar `i`; returns whether its volume is known. Values are meaningless until the windows are full."""
    shift(s.all_floats)
    shift(s.all_bits)
    _averages(s, bars.close[i], p, now)
    _structure(s, bars.low[i], bars.close[i], now)
    if s.bars > 1:
        _ranges(s, bars, i, p, now)
        _strength(s, bars.close[i] - s.close, p)
    _slopes(s, now)
    s.high = bars.high[i]
    s.low = bars.low[i]
    s.close = bars.close[i]
    known = not math.isnan(bars.volume[i])
    now.vo_z = _volume(s, bars.volume[i], p) if known else 0.0
    return known


@compiled
def shift(windows: Floats | Ints | Bits) -> None:
    """Make room for a newest value in windows that lie side by side: drop the oldest of each."""
    for i in range(len(windows) - 1):
        windows[i] = windows[i + 1]


@compiled
def put(window: Floats | Ints | Bits, value: float) -> None:
    """Set the newest value."""
    window[len(window) - 1] = value


@compiled
def _averages(s: SeriesState, close: float, p: Strategy, now: Indicators) -> None:
    for k in range(len(s.ema)):
        if s.bars == 1:
            s.ema[k] = close
        else:
            s.ema[k] += 2.0 / (p.indicators.ema_bars[k] + 1.0) * (close - s.ema[k])
        put(s.ema_values[k], s.ema[k])
    now.close = close
    now.ema20 = s.ema[E20]
    now.ema30 = s.ema[E30]
    now.ema60 = s.ema[E60]
    now.ema144 = s.ema[E144]
    now.ema250 = s.ema[E250]
    now.ema333 = s.ema[E333]
    put(s.separation_fast, (now.ema20 - now.ema60) / now.ema60)
    put(s.separation_mid, (now.ema60 - now.ema144) / now.ema144)
    now.dsep_fast = s.separation_fast[len(s.separation_fast) - 1] - s.separation_fast[0]
    now.dsep_mid = s.separation_mid[len(s.separation_mid) - 1] - s.separation_mid[0]


@compiled
def _structure(s: SeriesState, low: float, close: float, now: Indicators) -> None:
    put(s.lower_lows, s.bars > 1 and low < s.low)
    put(s.under_ema60, close < now.ema60)
    now.lower_low_share = share(s.lower_lows)
    now.under_ema60_share = share(s.under_ema60)
    s.closes_under_ema333 = s.closes_under_ema333 + 1 if close < now.ema333 else 0
    now.closes_under_ema333 = s.closes_under_ema333


@compiled
def _ranges(s: SeriesState, bars: Bars, i: int, p: Strategy, now: Indicators) -> None:
    """Both ATRs, and the ADX, which always uses the whole true range.

    The session's ATR takes the first bar after the market was closed by its own range alone.
    """
    n, seen = p.indicators.wilder_bars, s.bars - 1
    inside = bars.high[i] - bars.low[i]
    whole = max(inside, abs(bars.high[i] - s.close), abs(bars.low[i] - s.close))
    up, down = bars.high[i] - s.high, s.low - bars.low[i]
    opens_session = 0 < bars.gap[i] <= LAST_SESSION_GAP
    s.session_atr = _wilder(s.session_atr, inside if opens_session else whole, seen, n)
    s.full_atr = _wilder(s.full_atr, whole, seen, n)
    s.plus_move = _wilder(s.plus_move, up if up > down and up > 0.0 else 0.0, seen, n)
    s.minus_move = _wilder(s.minus_move, down if down > up and down > 0.0 else 0.0, seen, n)
    if seen >= n:
        plus, minus = safe_ratio(s.plus_move, s.full_atr), safe_ratio(s.minus_move, s.full_atr)
        s.adx = _wilder(s.adx, 100.0 * safe_ratio(abs(plus - minus), plus + minus), seen - n + 1, n)
    atr = s.full_atr if bars.full_range[i] else s.session_atr
    put(s.atr_values, atr)
    put(s.adx_values, s.adx)
    usual = mean(s.atr_values)
    now.atr = atr
    now.session_atr = s.session_atr
    now.full_atr = s.full_atr
    now.adx = s.adx
    now.atr_ratio = atr / usual if usual > 0.0 else 1.0


@compiled
def _strength(s: SeriesState, change: float, p: Strategy) -> None:
    """RSI; 50 while the price does not move."""
    n, seen = p.indicators.wilder_bars, s.bars - 1
    s.gain = _wilder(s.gain, max(change, 0.0), seen, n)
    s.loss = _wilder(s.loss, max(-change, 0.0), seen, n)
    moved = s.gain + s.loss
    put(s.rsi_values, 100.0 * s.gain / moved if moved > 0.0 else _NEUTRAL_RSI)


@compiled
def _slopes(s: SeriesState, now: Indicators) -> None:
    now.slope20 = slope(s.ema_values[E20]) / s.ema[E20]
    now.slope60 = slope(s.ema_values[E60]) / s.ema[E60]
    now.slope144 = slope(s.ema_values[E144]) / s.ema[E144]
    now.slope250 = slope(s.ema_values[E250]) / s.ema[E250]
    now.slope333 = slope(s.ema_values[E333]) / s.ema[E333]
    put(s.slope144_values, now.slope144)
    now.rsi = s.rsi_values[len(s.rsi_values) - 1]
    now.rsi_slope = slope(s.rsi_values)
    now.adx_slope = slope(s.adx_values)


@compiled
def _volume(s: SeriesState, volume: float, p: Strategy) -> float:
    """The z-score of ln(1 + volume) against the bars before; then adds this bar to them."""
    x = log(1.0 + volume)
    z = 0.0
    if s.volume_variance > 0.0:
        bounds = p.indicators.volume_z
        z = clip((x - s.volume_mean) / math.sqrt(s.volume_variance), bounds[0], bounds[1])
    s.volumes += 1
    if s.volumes == 1:
        s.volume_mean = x
    else:
        alpha = 2.0 / (p.indicators.volume_span_bars + 1.0)
        away = x - s.volume_mean
        s.volume_mean += alpha * away
        s.volume_variance = (1.0 - alpha) * (s.volume_variance + alpha * away * away)
    return z


@compiled
def _wilder(average: float, value: float, seen: int, n: int) -> float:
    """The plain mean of the first `n` values, then Wilder's smoothing; `seen` includes this value."""
    return average + (value - average) / min(seen, n)
