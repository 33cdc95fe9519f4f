"""The states of a series and their transitions; at most one transition a bar."""

from typing import Final

from strandline.engine.compilation import compiled
from strandline.engine.results import Indicators
from strandline.engine.series_state import NO_INSTANT, SeriesState
from strandline.model.strategy import Strategy

S0: Final = 0
S1: Final = 1
S2: Final = 2
S3: Final = 3
S4: Final = 4

NO_EXIT: Final = 0
TREND_FAILED: Final = 1
TREND_OVER: Final = 2


@compiled
def next_state(s: SeriesState, p: Strategy, now: Indicators) -> int:
    """Take the first transition whose condition holds; returns the reason to exit the position, or NO_EXIT."""
    if s.bars == p.history.bars_for_state:
        _first_state(s, now)
    elif s.state == S4:
        _from_s4(s, p, now)
    elif s.state == S0:
        _from_s0(s, now)
    elif s.state == S1:
        return _from_s1(s, now)
    elif s.state == S2:
        _from_s2(s, now)
    else:
        return _from_s3(s, now)
    return NO_EXIT


@compiled
def _first_state(s: SeriesState, now: Indicators) -> None:
    s.order_held = 1 if _in_s3_order(now) else 0
    _enter(s, S0 if _in_s0_order(now) else S4)


@compiled
def _from_s4(s: SeriesState, p: Strategy, now: Indicators) -> None:
    """S4: the current move began before the series had a state."""
    s.order_held = s.order_held + 1 if _in_s3_order(now) else 0
    if _in_s0_order(now):
        _enter(s, S0)
    elif s.order_held >= p.states.confirm_s3_bars:
        _begin_trend(s)


@compiled
def _from_s0(s: SeriesState, now: Indicators) -> None:
    """S0: an attempt begins when the fast averages and the close are above EMA 60."""
    if _fast_above_mid(now) and now.close > now.ema60:
        _enter(s, S1)
        s.attempt = s.ts
        s.ended_by = NO_EXIT


@compiled
def _from_s1(s: SeriesState, now: Indicators) -> int:
    """S1: the attempt fails in the order of S0, or the close rises above EMA 333."""
    if _in_s0_order(now):
        return _back_to_s0(s, TREND_FAILED)
    if now.close > now.ema333:
        _enter(s, S2)
    return NO_EXIT


@compiled
def _from_s2(s: SeriesState, now: Indicators) -> None:
    """S2: back to S1 below EMA 333; a trend begins in the order of S3."""
    if now.close < now.ema333:
        _enter(s, S1)
    elif _in_s3_order(now):
        _begin_trend(s)


@compiled
def _from_s3(s: SeriesState, now: Indicators) -> int:
    """S3: the trend is over when every other average is below EMA 333."""
    if max(now.ema20, now.ema30, now.ema60, now.ema144, now.ema250) < now.ema333:
        return _back_to_s0(s, TREND_OVER)
    return NO_EXIT


@compiled
def _enter(s: SeriesState, state: int) -> None:
    s.state = state
    s.state_since = s.ts


@compiled
def _begin_trend(s: SeriesState) -> None:
    _enter(s, S3)
    s.trend = s.ts
    s.trend_bar = s.bars
    s.dip_taken = 0


@compiled
def _back_to_s0(s: SeriesState, reason: int) -> int:
    _enter(s, S0)
    s.attempt = NO_INSTANT
    s.trend = NO_INSTANT
    s.ended_by = reason
    return reason


@compiled
def _fast_above_mid(now: Indicators) -> bool:
    return now.ema20 > now.ema60 and now.ema30 > now.ema60


@compiled
def _in_s0_order(now: Indicators) -> bool:
    """Every average is below the next slower one."""
    return max(now.ema20, now.ema30) < now.ema60 < now.ema144 < now.ema250 < now.ema333


@compiled
def _in_s3_order(now: Indicators) -> bool:
    """Every average is above the next slower one."""
    return _fast_above_mid(now) and now.ema60 > now.ema144 > now.ema250 > now.ema333
