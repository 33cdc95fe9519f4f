"""Each regime has its properties on every seed; scripts are followed, and seeded before and after."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.market.candles import Candle
from strandline_sim.market.market import Market
from strandline_sim.market.regime import Leg, Regime
from tests.strandline_sim.market import sample_markets
from tests.strandline_sim.market.sample_markets import DAY, HOUR, MINUTE, START, candle_at

SEEDS = range(6)


def leg(regime: Regime, start: int, hours: int, drift: float, **more: float) -> Leg:
    return Leg(regime=regime, start_ms=start, end_ms=start + hours * HOUR, drift=drift, **more)  # type: ignore[arg-type]


def scripted(seed: int, regime: Regime, drift: float = 0.0, hours: int = 72) -> Market:
    """Make a market in which SOL has one regime for three days, after an hour of range."""
    legs = [leg(Regime.RANGE, START - HOUR, 1, 0.0), leg(regime, START, hours, drift)]
    return Market(seed, sample_markets.SPECS, {"SOL": legs})


def hourly(market: Market, hours: int = 72) -> list[Candle]:
    return market.candles("SOL", HOUR, START, START + hours * HOUR)


def minutely(market: Market, hours: int = 72) -> list[Candle]:
    return market.candles("SOL", MINUTE, START, START + hours * HOUR)


def change(candles: list[Candle]) -> float:
    return float(candles[-1].close / candles[0].open) - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_trends_reach_their_drift_with_pullbacks(seed: int) -> None:
    up, down = hourly(scripted(seed, Regime.TREND_UP, 0.3)), hourly(scripted(seed, Regime.TREND_DOWN, -0.3))
    assert 0.2 < change(up) < 0.4
    assert -0.4 < change(down) < -0.2
    assert sum(candle.close < candle.open for candle in up) > 10
    assert sum(candle.close > candle.open for candle in down) > 10
    assert up[-1].close > up[len(up) // 2].close > up[0].close
    assert down[-1].close < down[len(down) // 2].close < down[0].close


@pytest.mark.parametrize("seed", SEEDS)
def test_a_range_stays_where_it_is(seed: int) -> None:
    candles = hourly(scripted(seed, Regime.RANGE))
    assert abs(change(candles)) < 0.05
    assert max(candle.high for candle in candles) / min(candle.low for candle in candles) < 1.2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_falls_fast_with_many_trades(seed: int) -> None:
    candles = hourly(scripted(seed, Regime.CRASH, -0.3))
    worst = min(range(len(candles) - 12), key=lambda i: candles[i + 12].close / candles[i].open)
    fall = float(candles[worst + 12].close / candles[worst].open) - 1
    assert fall < -0.25, "most of it within twelve hours"
    assert change(candles[:12]) > -0.1
    panic = sum(candle.trades for candle in candles[worst : worst + 12]) / 12
    assert panic > 2 * sum(candle.trades for candle in candles[:12]) / 12


@pytest.mark.parametrize("drift", [0.12, -0.12])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_gap_jumps_between_two_trades(seed: int, drift: float) -> None:
    candles = minutely(scripted(seed, Regime.GAP, drift))
    jumps = [float(after.open / before.close) - 1 for before, after in pairwise(candles)]
    found = [jump for jump in jumps if abs(jump) > 0.05]
    assert found == [pytest.approx(drift, abs=0.03)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_quiet_market_has_minutes_without_trades_and_small_moves(seed: int) -> None:
    quiet, usual = minutely(scripted(seed, Regime.QUIET)), minutely(scripted(seed, Regime.RANGE))
    assert 0.2 < len(quiet) / (72 * 60) < 0.8
    assert sum(c.volume for c in quiet) * 10 < sum(c.volume for c in usual)
    assert max(c.high for c in quiet) / min(c.low for c in quiet) < 1.06


def test_more_is_traded_when_the_price_moves_more() -> None:
    candles = minutely(scripted(1, Regime.TREND_UP, 0.1))
    ranked = sorted(candles, key=lambda candle: abs(float(candle.close / candle.open) - 1))
    third = len(ranked) // 3
    assert sum(c.volume for c in ranked[-third:]) > 1.5 * float(sum(c.volume for c in ranked[:third]))


def test_a_seeded_path_has_every_regime() -> None:
    """Over years there are falls, rises, quiet days and busy days."""
    market = sample_markets.fresh_market()
    days = market.candles("BTC", DAY, START - 1200 * DAY, START)
    assert min(change([day]) for day in days) < -0.06
    assert max(change([day]) for day in days) > 0.05
    assert min(day.trades for day in days) * 10 < max(day.trades for day in days)


@given(
    st.lists(
        st.tuples(st.sampled_from(Regime), st.integers(1, 60), st.floats(-0.3, 0.4), st.floats(0, 1.5)),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 3),
)
def test_a_script_is_followed_leg_by_leg(acts: list[tuple[Regime, int, float, float]], seed: int) -> None:
    start, legs = START, []
    for regime, hours, drift, noise in acts:
        legs.append(leg(regime, start, hours, drift, noise=noise))
        start += hours * HOUR
    market = Market(seed, [sample_markets.SOL], {"SOL": legs})
    expected = float(sample_markets.SOL.start_price)
    assert float(market.price("SOL", START)) == pytest.approx(expected, rel=0.1)
    for act in legs:
        expected *= 1 + act.drift
        assert float(market.price("SOL", act.end_ms)) == pytest.approx(expected, rel=0.1)


def test_a_leg_without_noise_is_straight() -> None:
    legs = [leg(Regime.QUIET, START, 200, 0.2, noise=0.0)]
    candles = Market(1, [sample_markets.SOL], {"SOL": legs}).candles(
        "SOL", 4 * HOUR, START + 4 * HOUR, START + 192 * HOUR
    )
    assert all(after.high > before.high for before, after in pairwise(candles))


def test_seeded_and_scripted_parts_join_without_a_jump() -> None:
    start, end = START + 7 * MINUTE, START + 50 * HOUR + 13 * MINUTE
    legs = [Leg(regime=Regime.TREND_UP, start_ms=start, end_ms=end, drift=0.5)]
    market = Market(3, sample_markets.SPECS, {"BTC": legs})
    for edge in (start, end):
        near = market.trades("BTC", edge - 3 * MINUTE, edge + 3 * MINUTE)
        prices = [float(trade.price) for trade in near]
        assert max(prices) / min(prices) < 1.02
    untouched = sample_markets.fresh_market(3)
    assert market.trades("SOL", start, end) == untouched.trades("SOL", start, end)
    later = end + 20 * DAY
    assert candle_at(market, "BTC", DAY, later - later % DAY) is not None


def test_an_invalid_script_is_refused() -> None:
    first, second = leg(Regime.RANGE, START, 2, 0.0), leg(Regime.RANGE, START + 3 * HOUR, 2, 0.0)
    with pytest.raises(ValueError, match="must start where the one before it ends"):
        Market(1, sample_markets.SPECS, {"BTC": [first, second]})
    with pytest.raises(ValueError, match="not in the market"):
        Market(1, sample_markets.SPECS, {"DOGE": [first]})
    with pytest.raises(ValueError, match="named twice"):
        Market(1, [sample_markets.BTC, sample_markets.BTC])
    with pytest.raises(ValueError, match="ends after it starts"):
        leg(Regime.RANGE, START, 0, 0.0)
