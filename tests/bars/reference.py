"""A reference implementation of the rollup without SQL, as the design describes it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import Any

from strandline.model.timeframe import Timeframe
from tests.bars.rows import MINUTE, Bar, Candle, Key, Tick


def expected_bars(ticks: Iterable[Tick], candles: Iterable[Candle], until: datetime) -> dict[Key, Bar]:
    """Every bar that is final at `until`."""
    bars = {key: bar for key, bar in expected_minutes(ticks, candles).items() if key[2] + MINUTE <= until}
    minutes = sorted(bars.items(), key=lambda item: (item[0][0], item[0][2]))
    for timeframe in list(Timeframe)[1:]:
        parts: dict[Key, list[Bar]] = {}
        for (instrument_id, _, start), bar in minutes:
            parts.setdefault((instrument_id, timeframe, timeframe.start_of(start)), []).append(bar)
        bars |= {key: combined(part) for key, part in parts.items() if key[2] + timeframe.length <= until}
    return with_gaps(bars)


def expected_minutes(ticks: Iterable[Tick], candles: Iterable[Candle]) -> dict[Key, Bar]:
    """Each minute from its best source."""
    sources: dict[Key, dict[int, list[Tick]]] = {}
    for tick in ticks:
        key = (tick.instrument_id, Timeframe.M1, Timeframe.M1.start_of(tick.ts))
        rank = 4 if tick.kind == "p" else 2 if tick.trade_id < 0 else 1
        sources.setdefault(key, {}).setdefault(rank, []).append(tick)
    at_venue = {(one.instrument_id, Timeframe.M1, one.ts): one for one in candles if one.volume > 0}
    bars = {}
    for key in sources.keys() | at_venue.keys():
        candle = at_venue.get(key)
        found = [
            (any(map(is_faulty, ticks)), is_incomplete(rank, sources[key], candle), rank)
            for rank, ticks in sources.get(key, {}).items()
        ]
        if candle:
            found.append((False, False, 3))
        _, _, best = min(found)
        if best == 3 and candle:
            bars[key] = Bar(*candle[2:6], candle.volume, None, None, candle.trades or 0, "r")
        else:
            bars[key] = from_ticks(sources[key][best])
    return bars


def is_faulty(tick: Tick) -> bool:
    """Whether it fails the checks of ticks."""
    if not 0 < tick.price < inf:
        return True
    return tick.kind == "t" and (tick.side is None or tick.size is None or not 0 < tick.size < inf)


def is_incomplete(rank: int, sources: Mapping[int, list[Tick]], candle: Candle | None) -> bool:
    """Whether these are not all trades: by the venue's candle; if there is none, the archive may have more."""
    if candle and candle.trades:
        return rank < 3 and is_unlike(sources[rank], candle)
    return rank == 1 and len(sources[1]) < len(sources.get(2, []))


def is_unlike(ticks: Sequence[Tick], candle: Candle) -> bool:
    """Whether these are not the trades of the venue's candle: fewer, or as many with other prices or another volume."""
    trades = candle.trades or 0
    if len(ticks) != trades:
        return len(ticks) < trades
    bar = from_ticks(ticks)
    pairs = [(one, other, 1e-4) for one, other in zip(bar[:4], candle[2:6], strict=True)]
    return any(
        abs(one - other) > tolerance * other
        for one, other, tolerance in (*pairs, (bar.volume or 0, candle.volume, 1e-3))
    )


def from_ticks(ticks: Iterable[Tick]) -> Bar:
    """One minute's bar."""
    ordered = sorted(ticks, key=lambda tick: (tick.ts, tick.trade_id))
    prices = [tick.price for tick in ordered]
    sizes = [tick.size for tick in ordered if tick.size is not None]
    volume = sum_in_order(sizes)
    quote = sum_in_order([tick.price * tick.size for tick in ordered if tick.size is not None])
    vwap = quote / volume if quote is not None and volume else None
    sources = sorted({tick.source for tick in ordered})
    source = "s" if "s" in sources else sources[0]
    return Bar(prices[0], max(prices), min(prices), prices[-1], volume, quote, vwap, len(prices), source)


def combined(minutes: Sequence[Bar]) -> Bar:
    """The bar over these minutes."""
    volumes, quotes = [bar.volume for bar in minutes], [bar.quote_volume for bar in minutes]
    volume = None if None in volumes else sum_in_order([v for v in volumes if v is not None])
    quote = None if None in quotes else sum_in_order([q for q in quotes if q is not None])
    return Bar(
        minutes[0].open,
        max(bar.high for bar in minutes),
        min(bar.low for bar in minutes),
        minutes[-1].close,
        volume,
        quote,
        quote / volume if quote is not None and volume else None,
        sum(bar.ticks for bar in minutes),
        max((bar.source for bar in minutes), key="sar".index),
    )


def with_gaps(bars: Mapping[Key, Bar]) -> dict[Key, Bar]:
    """The bars with the gap before each."""
    result = dict(bars)
    for (before, bar), (after, next_bar) in pairwise(sorted(bars.items(), key=lambda item: item[0])):
        if before[:2] == after[:2] and before[2] + before[1].length < after[2]:
            magnitude = (next_bar.open / bar.close - 1) * 100 if min(next_bar.open, bar.close) > 0 else 0.0
            result[after] = next_bar._replace(gap_magnitude_pct=magnitude, gap_type="quiet")
    return result


def expected_gaps(bars: Mapping[Key, Bar]) -> set[tuple[Any, ...]]:
    """The gaps between bars that do not touch."""
    return {
        (*after[:2], before[2] + before[1].length, after[2], bars[after].gap_magnitude_pct)
        for before, after in pairwise(sorted(bars))
        if before[:2] == after[:2] and before[2] + before[1].length < after[2]
    }


def sum_in_order(values: Sequence[float]) -> float | None:
    """The sum from left to right, rounded at each step as the database does."""
    total: float | None = None
    for value in values:
        total = value if total is None else total + value
    return total
