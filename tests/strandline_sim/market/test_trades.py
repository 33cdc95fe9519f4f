"""Trades do not depend on the requested range, and are ordered, on the grid, with unique ids."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.side import Side
from strandline_sim.market.spec import SymbolSpec
from tests.strandline_sim.market import sample_markets
from tests.strandline_sim.market.sample_markets import DAY, HOUR, MARKET, MINUTE, START, is_on_grid


@given(sample_markets.symbols, sample_markets.instants, st.lists(st.integers(0, 20 * MINUTE), max_size=6))
def test_parts_of_a_range_add_up_to_the_whole(symbol: str, start: int, cuts: list[int]) -> None:
    bounds = sorted([start, *(start + cut for cut in cuts), start + 20 * MINUTE])
    parts = [trade for left, right in pairwise(bounds) for trade in MARKET.trades(symbol, left, right)]
    assert parts == MARKET.trades(symbol, start, start + 20 * MINUTE)


@given(sample_markets.symbols, sample_markets.instants)
def test_a_range_includes_its_start_and_not_its_end(symbol: str, start: int) -> None:
    for trade in MARKET.trades(symbol, start, start + 3 * MINUTE)[:3]:
        assert trade in MARKET.trades(symbol, trade.time, trade.time + 1)
        assert trade not in MARKET.trades(symbol, start, trade.time)


@pytest.mark.parametrize("spec", sample_markets.SPECS, ids=lambda spec: spec.symbol)
def test_trades_are_ordered_with_rising_ids_on_the_grid(spec: SymbolSpec) -> None:
    trades = MARKET.trades(spec.symbol, START, START + 6 * HOUR)
    assert trades
    assert [trade.time for trade in trades] == sorted(trade.time for trade in trades)
    ids = [trade.id for trade in trades]
    assert ids == sorted(set(ids)), "ids rise with time, so that (time, id) orders trades within a millisecond"
    assert all(0 < number < 2**50 for number in ids)
    for trade in trades:
        assert trade.price > 0
        assert trade.price == round(trade.price, spec.price_decimals)
        assert is_on_grid(spec, trade.price)
        assert trade.size >= Decimal(1).scaleb(-spec.size_decimals)
        assert trade.size == round(trade.size, spec.size_decimals)
    assert {trade.side for trade in trades} == {Side.BUY, Side.SELL}


def test_a_perps_price_has_five_figures_or_is_whole() -> None:
    for symbol in ("BTC", "SOL", "SLEEPY"):
        for trade in MARKET.trades(symbol, START, START + HOUR):
            whole = trade.price == int(trade.price)
            assert whole or len(trade.price.normalize().as_tuple().digits) <= 5


def test_sizes_have_a_heavy_tail() -> None:
    sizes = sorted(float(trade.size) for trade in MARKET.trades("BTC", START, START + 6 * HOUR))
    mean, median = sum(sizes) / len(sizes), sizes[len(sizes) // 2]
    assert mean > 1.3 * median
    assert sizes[-1] > 15 * mean


def test_an_empty_range_is_empty() -> None:
    assert MARKET.trades("BTC", START, START) == []


@pytest.mark.parametrize("bounds", [(START + 1, START), (-1, START), (START, 200 * 365 * DAY)])
def test_a_range_outside_of_the_market_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="exists from 1970 to 2097"):
        MARKET.trades("BTC", *bounds)
