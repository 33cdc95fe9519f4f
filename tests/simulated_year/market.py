"""A simulated market for long tests of engine and planner: tokens whose trends come and go, in bars of five minutes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from strandline.engine import Bars, as_bars
from strandline.engine.index import MemberBar, index_bars
from strandline.model.timeframe import Timeframe

TOKENS: Final = ("BTC", "ETH", "SOL", "BNB", "HYPE")
BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""When trading begins; a year of history lies before it, so that the daily index has a state."""
HISTORY_DAYS: Final = 365

_FIVE_MINUTES: Final = timedelta(minutes=5)
_A_DAY: Final = 288
_SIGMA: Final = 0.0022
"""Of five minutes: about 70 % a year."""
_DAILY_DRIFT: Final = 0.02
_TREND_DAYS: Final = 5.0


class FiveMinutes(NamedTuple):
    """Columns of bars of five minutes."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray


def market(seed: int, days: int) -> Mapping[str, FiveMinutes]:
    """The tokens' bars: half of a move is everybody's, half is the token's own."""
    n = (HISTORY_DAYS + days) * _A_DAY
    random = np.random.default_rng(seed)
    common = _returns(random, n)
    return {token: _bars(random, (common + _returns(random, n)) / 2**0.5) for token in TOKENS}


def index(tokens: Mapping[str, FiveMinutes], timeframe: Timeframe) -> Bars:
    """The bars of the market's index."""
    members = {token: bars_of(bars, timeframe) for token, bars in tokens.items()}
    starts = next(iter(members.values())).ts.tolist()
    rows = (
        (datetime.fromtimestamp(ts // 1_000_000, UTC), {token: _member(bars, i) for token, bars in members.items()})
        for i, ts in enumerate(starts)
    )
    made = list(index_bars(rows))
    nothing = [0] * len(made)
    return as_bars(
        starts[1:],
        nothing,
        *([getattr(bar, name) for bar in made] for name in ("open", "high", "low", "close", "volume")),
        nothing,
        nothing,
        [int(timeframe is Timeframe.D1)] * len(made),
    )


def bars_of(bars: FiveMinutes, timeframe: Timeframe) -> Bars:
    """The bars of a longer timeframe."""
    each = timeframe.length // _FIVE_MINUTES
    n = len(bars.close) // each
    grid = [column[: n * each].reshape(n, each) for column in bars]
    first = int((BEGIN - timedelta(days=HISTORY_DAYS)).timestamp()) * 1_000_000
    ts = first + np.arange(n) * (timeframe.length // timedelta(microseconds=1))
    zeros = np.zeros(n)
    return as_bars(
        ts,
        zeros,
        grid[0][:, 0],
        grid[1].max(axis=1),
        grid[2].min(axis=1),
        grid[3][:, -1],
        grid[4].sum(axis=1),
        zeros,
        zeros,
        np.full(n, timeframe in (Timeframe.H4, Timeframe.D1)),
    )


def _returns(random: np.random.Generator, n: int) -> np.ndarray:
    """Noise around a drift that changes every few days."""
    lengths = np.maximum(1, random.exponential(_TREND_DAYS * _A_DAY, n // _A_DAY + 2)).astype(int)
    drift = np.repeat(random.normal(0, _DAILY_DRIFT / _A_DAY, len(lengths)), lengths)
    while len(drift) < n:
        drift = np.concatenate([drift, drift])
    calm = np.exp(np.repeat(random.normal(0, 0.3, n // _A_DAY + 1), _A_DAY)[:n])
    return drift[:n] + random.normal(0, _SIGMA, n) * calm


def _bars(random: np.random.Generator, returns: np.ndarray) -> FiveMinutes:
    close = 100 * np.exp(np.cumsum(returns))
    open_ = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(random.normal(0, _SIGMA / 2, (2, len(close))))
    volume = random.lognormal(3, 1, len(close)) * (1 + np.abs(returns) / _SIGMA)
    return FiveMinutes(
        open_, np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1]), close, volume
    )


def _member(bars: Bars, i: int) -> MemberBar:
    volume = float(bars.volume[i] * bars.close[i])
    return MemberBar(float(bars.open[i]), float(bars.high[i]), float(bars.low[i]), float(bars.close[i]), volume)
