"""A shifted symbol does the same at another time."""

from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.market.market import Market
from strandline_sim.market.regime import MINUTE_MS, Leg, Regime
from strandline_sim.symbols import PERPS
from tests.strandline_sim.market.sample_markets import candle_at

NOON = 1_774_000_000_000 // MINUTE_MS * MINUTE_MS
SCRIPT = {
    "ETH": [
        Leg(regime=Regime.TREND_UP, start_ms=NOON - 400 * MINUTE_MS, end_ms=NOON, drift=0.1),
        Leg(regime=Regime.CRASH, start_ms=NOON, end_ms=NOON + 60 * MINUTE_MS, drift=-0.05),
    ]
}
PLAIN = Market(3, PERPS, SCRIPT)


@given(st.integers(-5_000, 500_000), st.integers(-300, 300), st.sampled_from(["BTC", "ETH", "kPEPE"]))
def test_everything_happens_later_by_the_shift(shift: int, minute: int, symbol: str) -> None:
    shifted = Market(3, PERPS, SCRIPT, shifts=dict.fromkeys(["BTC", "ETH", "kPEPE"], shift))
    then, now = NOON + minute * MINUTE_MS, NOON + (minute + shift) * MINUTE_MS
    later = shift * MINUTE_MS
    for ask in ("price", "mid", "mark", "oracle", "premium"):
        assert getattr(shifted, ask)(symbol, now + 1234) == getattr(PLAIN, ask)(symbol, then + 1234), ask
    was = PLAIN.trades(symbol, then, then + 2 * MINUTE_MS)
    assert [trade._replace(time=0, id=0) for trade in shifted.trades(symbol, now, now + 2 * MINUTE_MS)] == [
        trade._replace(time=0, id=0) for trade in was
    ]
    assert [trade.time - later for trade in shifted.trades(symbol, now, now + 2 * MINUTE_MS)] == [t.time for t in was]


@given(st.integers(-5_000, 500_000))
def test_shifted_candles_are_aligned_and_equal_their_trades(shift: int) -> None:
    shifted = Market(3, PERPS, SCRIPT, shifts=dict.fromkeys(["BTC", "ETH", "kPEPE"], shift))
    start = (NOON + shift * MINUTE_MS) // (15 * MINUTE_MS) * 15 * MINUTE_MS
    candle = candle_at(shifted, "ETH", 15 * MINUTE_MS, start)
    trades = shifted.trades("ETH", start, start + 15 * MINUTE_MS)
    assert candle is not None
    assert (candle.open, candle.high, candle.low, candle.close, candle.trades) == (
        trades[0].price,
        max(trade.price for trade in trades),
        min(trade.price for trade in trades),
        trades[-1].price,
        len(trades),
    )
    ids = [trade.id for trade in trades]
    assert ids == sorted(set(ids))
