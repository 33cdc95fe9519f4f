"""Computes the flags of a bar, as bits in the order of `Flag`."""

from typing import Final

from strandline.engine.arithmetic import round_score
from strandline.engine.compilation import compiled
from strandline.engine.levels import level_near
from strandline.engine.records import Records
from strandline.engine.results import Indicators, Scores
from strandline.engine.series_state import SeriesState
from strandline.engine.states import NO_EXIT, S1, S2, S3, S4
from strandline.model.strategy import BuyNearAnchor, Strategy

BUY_SIGNAL: Final = 1
BUY_FLAG: Final = 2
FIRST_DIP: Final = 4
TRIM: Final = 8
EMERGENCY: Final = 16
RECLAIMED: Final = 32
EXIT: Final = 64


@compiled
def raise_flags(
    s: SeriesState,
    came_from: int,
    reason: int,
    p: Strategy,
    now: Indicators,
    scores: Scores,
    levels: Records,
    found: int,
) -> int:
    """The flags of this bar; none, and no first dip is used up, before the series has enough bars.

    An emergency is remembered until a bar closes at or above EMA 333 again.
    """
    flags = 0
    if s.bars >= p.history.bars_for_flags:
        if reason != NO_EXIT:
            flags = EXIT
        elif s.state == S1:
            flags = BUY_SIGNAL if _near_ema60(p.flags.buy_s1, now, scores) else 0
        elif s.state == S2:
            flags = (BUY_FLAG if _near_ema333(p.flags.buy_s2, now, scores) else 0) | _trim(
                p, now, scores, levels, found
            )
        elif s.state == S3:
            flags = _s3_flags(s, came_from == S4, p, now, scores) | _trim(p, now, scores, levels, found)
    s.emergency = (s.emergency | flags & EMERGENCY) if now.close < now.ema333 else 0
    return flags


@compiled
def first_dip_may_come(s: SeriesState, p: Strategy) -> bool:
    """Whether the trend is young enough for its first dip, which the state remembers."""
    w = p.flags.first_dip
    return s.state == S3 and s.dip_taken == 0 and s.bars - s.trend_bar <= max(w.fast_bars, w.slow_bars)


@compiled
def _near_ema60(w: BuyNearAnchor, now: Indicators, scores: Scores) -> bool:
    near = abs(now.close - now.ema60) <= w.within_atr * now.atr
    rising = now.slope60 > 0.0 or now.slope144 >= 0.0
    return near and rising and round_score(scores.ts + scores.boost_ema60) >= w.min_score


@compiled
def _near_ema333(w: BuyNearAnchor, now: Indicators, scores: Scores) -> bool:
    near = abs(now.close - now.ema333) <= w.within_atr * now.atr
    return near and _slow_rising(now) and round_score(scores.ts + scores.boost_ema333) >= w.min_score


@compiled
def _s3_flags(s: SeriesState, from_s4: bool, p: Strategy, now: Indicators, scores: Scores) -> int:
    """The flags of S3. A trend that began before the engine had a state (S4) has no entry on its first bar."""
    if now.close < now.ema333:
        return EMERGENCY if _emergency(p, now) else 0
    flags = RECLAIMED if s.emergency else 0
    if from_s4:
        return flags
    if _deep_dip(p, now, scores):
        flags |= BUY_FLAG
    if not s.dip_taken and _first_dip(s, p, now, scores):
        s.dip_taken = 1
        flags |= FIRST_DIP
    return flags


@compiled
def _emergency(p: Strategy, now: Indicators) -> bool:
    w = p.flags.emergency
    return now.close < now.ema333 - w.under_by_atr * now.atr or now.closes_under_ema333 >= w.closes_under


@compiled
def _deep_dip(p: Strategy, now: Indicators, scores: Scores) -> bool:
    w = p.flags.buy_s3
    good = scores.dx >= scores.dx_threshold and round_score(scores.ts + scores.boost_ema333) >= w.min_score
    return now.ema333 <= now.close <= now.ema144 and good and _slow_rising(now)


@compiled
def _first_dip(s: SeriesState, p: Strategy, now: Indicators, scores: Scores) -> bool:
    w, age = p.flags.first_dip, s.bars - s.trend_bar
    reach = w.within_atr * now.atr
    to_fast = min(abs(now.close - now.ema20), abs(now.close - now.ema30))
    near = (age <= w.fast_bars and to_fast <= reach) or (age <= w.slow_bars and abs(now.close - now.ema60) <= reach)
    rising = now.slope144 > 0.0 or now.slope250 >= 0.0
    return near and rising and round_score(scores.ts + scores.boost_ema333) >= w.min_score


@compiled
def _trim(p: Strategy, now: Indicators, scores: Scores, levels: Records, found: int) -> int:
    w = p.flags.trim
    stretched = scores.ox >= w.min_overextension
    return TRIM if stretched and level_near(levels, found, now.close, w.level_within_atr * now.atr) else 0


@compiled
def _slow_rising(now: Indicators) -> bool:
    return now.slope250 > 0.0 or now.slope333 >= 0.0
