"""The path depends on seed, symbol and time only, in every process."""

import hashlib
import os
import subprocess
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given

from strandline_sim.market.market import Market
from strandline_sim.market.spec import perp
from tests.strandline_sim.market import sample_markets
from tests.strandline_sim.market.sample_markets import DAY, HOUR, MARKET, MINUTE, START


@cache
def fingerprint() -> str:
    """Hash what a market returns about some hours."""
    market = sample_markets.fresh_market()
    contents = [
        (
            market.trades(name, START + 17, START + HOUR),
            market.candles(name, HOUR, START - 40 * DAY, START),
            market.book(name, START + 123_456, 20),
            market.funding_rate(name, START),
            market.mark(name, START + 5),
        )
        for name in market.symbols
    ]
    return hashlib.sha256(repr(contents).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_gives_the_same_market(hash_seed: str) -> None:
    ours = Path(sample_markets.__file__).parents[3]
    code = "from tests.strandline_sim.market.test_path import fingerprint; print(fingerprint())"
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join([f"{ours}/include", f"{ours}"]),
    }
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == fingerprint()


@given(sample_markets.symbols, sample_markets.instants)
def test_earlier_calls_change_nothing(symbol: str, instant: int) -> None:
    fresh = sample_markets.fresh_market()
    assert fresh.trades(symbol, instant, instant + MINUTE) == MARKET.trades(symbol, instant, instant + MINUTE)
    assert fresh.price(symbol, instant) == MARKET.price(symbol, instant)


def test_a_symbol_does_not_depend_on_the_others() -> None:
    alone = Market(7, [sample_markets.SOL])
    assert alone.trades("SOL", START, START + HOUR) == MARKET.trades("SOL", START, START + HOUR)


def test_another_seed_gives_another_market() -> None:
    other = sample_markets.fresh_market(seed=8)
    for name in MARKET.symbols:
        assert other.trades(name, START, START + HOUR) != MARKET.trades(name, START, START + HOUR)
        assert other.price(name, START) != MARKET.price(name, START)


@given(sample_markets.symbols, sample_markets.instants)
def test_the_price_is_that_of_the_newest_trade(symbol: str, instant: int) -> None:
    before = MARKET.trades(symbol, instant - HOUR // 2, instant + 1)
    if before:
        assert MARKET.price(symbol, instant) == before[-1].price


def test_a_trade_sets_the_price_at_its_instant() -> None:
    trades = MARKET.trades("MEME", START, START + HOUR)
    last_at = {trade.time: trade.price for trade in trades}
    assert [MARKET.price("MEME", instant) for instant in last_at] == list(last_at.values())


def test_consecutive_trades_are_close_without_a_gap() -> None:
    prices = [float(trade.price) for trade in MARKET.trades("BTC", START, START + 6 * HOUR)]
    assert max(abs(after / before - 1) for before, after in pairwise(prices)) < 0.01


def test_prices_stay_in_range_over_decades() -> None:
    for spec in sample_markets.SPECS:
        years = range(sample_markets.IN_2015, sample_markets.IN_2090, 365 * DAY)
        changes = [float(MARKET.price(spec.symbol, year) / spec.start_price.decimal) for year in years]
        assert 0.02 < min(changes) <= max(changes) < 50 or spec.volatility > 1
        assert max(changes) / min(changes) > 1.5, "but it does move"


def test_prices_move_over_months() -> None:
    prices = [float(MARKET.price("BTC", START - months * 30 * DAY)) for months in range(40)]
    changes = [abs(after / before - 1) for before, after in pairwise(prices)]
    assert 0.06 < sum(changes) / len(changes) < 0.4


def test_the_start_price_is_that_of_january_2026() -> None:
    origin = 1_767_260_160_000
    for spec in sample_markets.SPECS:
        assert float(MARKET.price(spec.symbol, origin + MINUTE)) == pytest.approx(float(spec.start_price), rel=0.05)


def test_a_symbol_without_trades_has_a_fair_price_and_no_candles() -> None:
    dead = Market(1, [perp("DEAD", "20", 2, trades_per_minute=1e-9)])
    assert dead.candles("DEAD", DAY, START - 30 * DAY, START) == []
    assert 5 < dead.price("DEAD", START) < 80
    assert (
        dead.book("DEAD", START, 5).bids[0].price
        < dead.price("DEAD", START)
        < dead.book("DEAD", START, 5).asks[0].price
    )


def test_a_symbol_is_correlated_with_its_leader() -> None:
    def moves(symbol: str) -> dict[int, float]:
        return {c.time: float(c.close / c.open) - 1 for c in MARKET.candles(symbol, HOUR, START - 60 * DAY, START)}

    leader = moves("BTC")

    def together(symbol: str) -> float:
        own = moves(symbol)
        times = leader.keys() & own.keys()
        scale = sum(leader[t] ** 2 for t in times) * sum(own[t] ** 2 for t in times)
        return float(sum(leader[t] * own[t] for t in times) / scale**0.5)

    assert together("SOL") > 0.5
    assert abs(together("MEME")) < 0.25


def test_distant_instants_take_no_longer() -> None:
    """Compared as a ratio of shortest times, because machines differ."""
    near = least_seconds(START)
    assert least_seconds(sample_markets.IN_2015) < 5 * near
    assert least_seconds(sample_markets.IN_2090) < 5 * near


def least_seconds(instant: int) -> float:
    """Measure the first price of ten fresh markets, and return the shortest time."""
    times = []
    for _ in range(10):
        market = sample_markets.fresh_market()
        started = time.perf_counter()
        market.price("BTC", instant)
        times.append(time.perf_counter() - started)
    return min(times)
