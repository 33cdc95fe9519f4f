"""Price levels: pivots of closes, clustered, and the boost of a score by a level near an average."""

from typing import Final

import numpy as np

from strandline.engine.arithmetic import LN2, exp, round_score, safe_ratio
from strandline.engine.compilation import compiled, in_python
from strandline.engine.indicators import put, shift
from strandline.engine.records import Floats, Records
from strandline.engine.series_state import SeriesState, SeriesStateWithViews
from strandline.model.strategy import Strategy

_FADING_BARS: Final = 1024


def fading(half_life_bars: int) -> Floats:
    """What is left of the strength of a level after so many bars, for most of the levels that there are."""
    left = in_python(exp)
    return np.array([left(-LN2 * (age / half_life_bars)) for age in range(_FADING_BARS)])


@compiled
def update_pivots(s: SeriesStateWithViews, ts: int, close: float, p: Strategy) -> None:
    """Add a close, and store the close `side_bars` before it as a pivot if the price turned there."""
    shift(s.all_closes)
    put(s.closes, close)
    put(s.close_ts, ts)
    side = p.levels.side_bars
    if s.bars < len(s.closes):
        return
    middle = s.closes[side]
    above, below, highest, lowest = 0, 0, middle, middle
    for i in range(len(s.closes)):
        above += middle > s.closes[i]
        below += middle < s.closes[i]
        highest = max(highest, s.closes[i])
        lowest = min(lowest, s.closes[i])
    turned = above == 2 * side or below == 2 * side
    if turned and 100.0 * (highest - lowest) >= p.levels.min_range_pct * middle:
        _insert_pivot(s, middle, s.close_ts[side], s.bars - side)


@compiled
def find_levels(s: SeriesState, atr: float, p: Strategy, fading: Floats, levels: Records) -> int:
    """Cluster the pivots into levels, from the lowest price up; returns the number of levels."""
    reach = p.levels.join_atr * atr
    found, touches, price = 0, 0, 0.0
    for i in range(s.pivots):
        pivot = s.pivot_price[i]
        if found == 0 or pivot - price > reach:
            found, touches, price = found + 1, 1, pivot
            level = levels[found - 1]
            level.ts, level.last_bar = s.pivot_ts[i], s.pivot_bar[i]
        else:
            level = levels[found - 1]
            touches += 1
            price += (pivot - price) / touches
            level.ts = min(level.ts, s.pivot_ts[i])
            level.last_bar = max(level.last_bar, s.pivot_bar[i])
        level.price, level.touches = price, touches
    for i in range(found):
        level = levels[i]
        age = s.bars - level.last_bar
        left = fading[age] if age < len(fading) else exp(-LN2 * (age / p.levels.half_life_bars))
        level.strength = min(1.0, level.touches / p.levels.full_strength_touches) * left
    return found


@compiled
def boost(levels: Records, found: int, anchor: float, atr: float, p: Strategy) -> float:
    """What the best level near the anchor adds to the score of an entry."""
    best = 0.0
    for i in range(found):
        away = abs(levels[i].price - anchor)
        if away < atr or atr == 0.0:  # most levels are further away, and add nothing
            best = max(best, levels[i].strength * max(0.0, 1.0 - safe_ratio(away, atr)))
    return round_score(p.levels.boost * best)


@compiled
def level_near(levels: Records, found: int, price: float, reach: float) -> bool:
    """Whether any level is within reach of the price."""
    for i in range(found):  # noqa: SIM110  a generator does not compile
        if abs(levels[i].price - price) <= reach:
            return True
    return False


@compiled
def _insert_pivot(s: SeriesState, price: float, ts: int, bar: int) -> None:
    """Insert in order of price; when there is no room, drop the oldest pivot."""
    if s.pivots == len(s.pivot_price):
        _drop_oldest(s)
    at = s.pivots
    while at > 0 and s.pivot_price[at - 1] > price:
        _copy_pivot(s, at - 1, at)
        at -= 1
    s.pivot_price[at], s.pivot_ts[at], s.pivot_bar[at] = price, ts, bar
    s.pivots += 1


@compiled
def _drop_oldest(s: SeriesState) -> None:
    oldest = 0
    for i in range(s.pivots):
        if s.pivot_bar[i] < s.pivot_bar[oldest]:
            oldest = i
    for i in range(oldest, s.pivots - 1):
        _copy_pivot(s, i + 1, i)
    s.pivots -= 1


@compiled
def _copy_pivot(s: SeriesState, source: int, target: int) -> None:
    s.pivot_price[target] = s.pivot_price[source]
    s.pivot_ts[target] = s.pivot_ts[source]
    s.pivot_bar[target] = s.pivot_bar[source]
