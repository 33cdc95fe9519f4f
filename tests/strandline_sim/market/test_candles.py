"""Candles equal their trades, for every interval, range and instant."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.market.candles import Candle
from strandline_sim.market.trades import Trade
from tests.strandline_sim.market import sample_markets
from tests.strandline_sim.market.sample_markets import DAY, HOUR, INTERVALS, MARKET, MINUTE, START, candle_at


def candle_of(trades: list[Trade], start: int, interval: int) -> Candle | None:
    """Build a candle from trades, one by one."""
    if not trades:
        return None
    prices = [trade.price for trade in trades]
    volume = sum(trade.size for trade in trades)
    return Candle(
        start, interval, prices[0], max(prices), min(prices), prices[-1], type(prices[0])(volume), len(trades)
    )


@given(sample_markets.symbols, sample_markets.instants)
def test_every_minute_equals_its_trades(symbol: str, instant: int) -> None:
    start = instant - instant % MINUTE
    expected = candle_of(MARKET.trades(symbol, start, start + MINUTE), start, MINUTE)
    assert candle_at(MARKET, symbol, MINUTE, start) == expected


@pytest.mark.parametrize("interval", [*INTERVALS, 3 * MINUTE])
@pytest.mark.parametrize("symbol", ["SOL", "SLEEPY", "MEME"])
def test_longer_candles_equal_their_trades(symbol: str, interval: int) -> None:
    for start in (sample_markets.IN_2015, START):
        start -= start % interval
        assert candle_at(MARKET, symbol, interval, start) == candle_of(
            MARKET.trades(symbol, start, start + interval), start, interval
        )


@pytest.mark.parametrize("symbol", ["BTC", "SLEEPY", "MEME"])
@pytest.mark.parametrize("interval", INTERVALS)
def test_longer_candles_equal_their_minutes(symbol: str, interval: int) -> None:
    minutes = MARKET.candles(symbol, MINUTE, START, START + DAY)
    for candle in MARKET.candles(symbol, interval, START, START + DAY):
        inside = [minute for minute in minutes if candle.time <= minute.time < candle.time + interval]
        assert (candle.open, candle.close) == (inside[0].open, inside[-1].close)
        assert candle.high == max(minute.high for minute in inside)
        assert candle.low == min(minute.low for minute in inside)
        assert candle.volume == sum(minute.volume for minute in inside)
        assert candle.trades == sum(minute.trades for minute in inside)


@given(sample_markets.symbols, st.sampled_from(INTERVALS), st.lists(st.integers(0, 3 * DAY), max_size=4))
def test_parts_of_a_range_add_up_to_the_whole(symbol: str, interval: int, cuts: list[int]) -> None:
    bounds = sorted([START, *(START + cut for cut in cuts), START + 3 * DAY])
    parts = [candle for left, right in pairwise(bounds) for candle in MARKET.candles(symbol, interval, left, right)]
    assert parts == MARKET.candles(symbol, interval, START, START + 3 * DAY)


@given(sample_markets.symbols, st.sampled_from((MINUTE, 15 * MINUTE, HOUR)), sample_markets.instants)
def test_a_forming_candle_has_the_trades_so_far(symbol: str, interval: int, now: int) -> None:
    start = now - now % interval
    forming = candle_at(MARKET, symbol, interval, start, until=now)
    assert forming == candle_of(MARKET.trades(symbol, start, now), start, interval)
    past = MARKET.candles(symbol, interval, start - 5 * interval, start)
    known = MARKET.candles(symbol, interval, start - 5 * interval, start + 5 * interval, until_ms=now)
    assert known == [*past, *([forming] if forming else [])]


def test_a_minute_without_trades_has_no_candle() -> None:
    minutes = MARKET.candles("SLEEPY", MINUTE, START, START + DAY)
    assert 0 < len(minutes) < 24 * 60
    times = {minute.time for minute in minutes}
    empty = next(start for start in range(START, START + DAY, MINUTE) if start not in times)
    assert candle_at(MARKET, "SLEEPY", MINUTE, empty) is None


def test_an_interval_of_part_of_a_minute_is_refused() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        MARKET.candles("BTC", 1000, START, START + DAY)
