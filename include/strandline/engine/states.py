"""The states and what leads from one to another; one transition a bar."""

from typing import Final

from strandline.engine.compiled import part
from strandline.engine.memory import NONE, Memory
from strandline.engine.results import Indicators
from strandline.model.strategy import Strategy

S0: Final = 0
S1: Final = 1
S2: Final = 2
S3: Final = 3
S4: Final = 4

NO_EXIT: Final = 0
TREND_FAILED: Final = 1
TREND_OVER: Final = 2


@part
def move(m: Memory, p: Strategy, now: Indicators) -> int:
    """Follow the first transition that holds; tells why the position must be left, if so."""
    if m.bars == p.history.bars_for_state:
        _start(m, now)
    elif m.state == S4:
        _watch(m, p, now)
    elif m.state == S0:
        _wait(m, now)
    elif m.state == S1:
        return _attempt(m, now)
    elif m.state == S2:
        _rise(m, now)
    else:
        return _ride(m, now)
    return NO_EXIT


@part
def _start(m: Memory, now: Indicators) -> None:
    m.order_held = 1 if _rising(now) else 0
    _enter(m, S0 if _falling(now) else S4)


@part
def _watch(m: Memory, p: Strategy, now: Indicators) -> None:
    """S4: whatever goes on began before there was a state."""
    m.order_held = m.order_held + 1 if _rising(now) else 0
    if _falling(now):
        _enter(m, S0)
    elif m.order_held >= p.states.confirm_s3_bars:
        _begin_trend(m)


@part
def _wait(m: Memory, now: Indicators) -> None:
    """S0: until the fast averages turn."""
    if _fast_above_mid(now) and now.close > now.ema60:
        _enter(m, S1)
        m.attempt = m.ts


@part
def _attempt(m: Memory, now: Indicators) -> int:
    """S1: it fails, or price takes the slowest average."""
    if _falling(now):
        _fall(m)
        return TREND_FAILED
    if now.close > now.ema333:
        _enter(m, S2)
    return NO_EXIT


@part
def _rise(m: Memory, now: Indicators) -> None:
    """S2: above the slowest average, until all of them are in order."""
    if now.close < now.ema333:
        _enter(m, S1)
    elif _rising(now):
        _begin_trend(m)


@part
def _ride(m: Memory, now: Indicators) -> int:
    """S3: until every average has sunk under the slowest."""
    if max(now.ema20, now.ema30, now.ema60, now.ema144, now.ema250) < now.ema333:
        _fall(m)
        return TREND_OVER
    return NO_EXIT


@part
def _enter(m: Memory, state: int) -> None:
    m.state = state
    m.state_since = m.ts


@part
def _begin_trend(m: Memory) -> None:
    _enter(m, S3)
    m.trend = m.ts
    m.trend_bar = m.bars
    m.dip_taken = 0


@part
def _fall(m: Memory) -> None:
    _enter(m, S0)
    m.attempt = NONE
    m.trend = NONE


@part
def _fast_above_mid(now: Indicators) -> bool:
    return now.ema20 > now.ema60 and now.ema30 > now.ema60


@part
def _falling(now: Indicators) -> bool:
    """The order of S0."""
    return max(now.ema20, now.ema30) < now.ema60 < now.ema144 < now.ema250 < now.ema333


@part
def _rising(now: Indicators) -> bool:
    """The order of S3."""
    return _fast_above_mid(now) and now.ema60 > now.ema144 > now.ema250 > now.ema333
