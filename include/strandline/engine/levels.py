"""Levels: prices at which closes turned, clustered, and what one of them near an average is worth."""

from strandline.engine.arithmetic import LN2, exp, over, rounded
from strandline.engine.compiled import part
from strandline.engine.indicators import push
from strandline.engine.memory import Memory
from strandline.engine.records import Records
from strandline.model.strategy import Strategy


@part
def note_pivot(m: Memory, ts: int, close: float, p: Strategy) -> None:
    """Take in a close, and remember the close `side_bars` before it if the market turned there."""
    push(m.closes, close)
    push(m.close_ts, ts)
    side = p.levels.side_bars
    if m.bars < len(m.closes):
        return
    middle = m.closes[side]
    above, below, highest, lowest = 0, 0, middle, middle
    for i in range(len(m.closes)):
        above += middle > m.closes[i]
        below += middle < m.closes[i]
        highest = max(highest, m.closes[i])
        lowest = min(lowest, m.closes[i])
    turned = above == 2 * side or below == 2 * side
    if turned and 100.0 * (highest - lowest) >= p.levels.min_range_pct * middle:
        _remember(m, middle, m.close_ts[side], m.bars - side)


@part
def find_levels(m: Memory, atr: float, p: Strategy, levels: Records) -> int:
    """Cluster the pivots from the lowest price up; tells how many levels there are."""
    found = 0
    for i in range(m.pivots):
        price = m.pivot_price[i]
        if found == 0 or price - levels[found - 1].price > p.levels.join_atr * atr:
            level = levels[found]
            level.ts, level.price, level.touches, level.last_bar = m.pivot_ts[i], price, 1, m.pivot_bar[i]
            found += 1
        else:
            level = levels[found - 1]
            level.touches += 1
            level.price += (price - level.price) / level.touches
            level.ts = min(level.ts, m.pivot_ts[i])
            level.last_bar = max(level.last_bar, m.pivot_bar[i])
    for i in range(found):
        level = levels[i]
        age = (m.bars - level.last_bar) / p.levels.half_life_bars
        level.strength = min(1.0, level.touches / p.levels.full_strength_touches) * exp(-LN2 * age)
    return found


@part
def boost(levels: Records, found: int, anchor: float, atr: float, p: Strategy) -> float:
    """What the best level near the anchor adds to an entry's score."""
    best = 0.0
    for i in range(found):
        nearness = 1.0 - over(abs(levels[i].price - anchor), atr)
        best = max(best, levels[i].strength * max(0.0, nearness))
    return rounded(p.levels.boost * best)


@part
def level_near(levels: Records, found: int, price: float, reach: float) -> bool:
    """Whether any level lies within reach."""
    for i in range(found):  # noqa: SIM110  a generator does not compile
        if abs(levels[i].price - price) <= reach:
            return True
    return False


@part
def _remember(m: Memory, price: float, ts: int, bar: int) -> None:
    """In the order of price; the oldest makes room."""
    if m.pivots == len(m.pivot_price):
        _forget_oldest(m)
    at = m.pivots
    while at > 0 and m.pivot_price[at - 1] > price:
        _move(m, at - 1, at)
        at -= 1
    m.pivot_price[at], m.pivot_ts[at], m.pivot_bar[at] = price, ts, bar
    m.pivots += 1


@part
def _forget_oldest(m: Memory) -> None:
    oldest = 0
    for i in range(m.pivots):
        if m.pivot_bar[i] < m.pivot_bar[oldest]:
            oldest = i
    for i in range(oldest, m.pivots - 1):
        _move(m, i + 1, i)
    m.pivots -= 1


@part
def _move(m: Memory, source: int, target: int) -> None:
    m.pivot_price[target] = m.pivot_price[source]
    m.pivot_ts[target] = m.pivot_ts[source]
    m.pivot_bar[target] = m.pivot_bar[source]
