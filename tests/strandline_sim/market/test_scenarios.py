"""On the scripted trend the averages line up, cross and break as the engine's states want it, on every seed."""

import pytest

from strandline_sim.market.market import Market
from strandline_sim.market.scenarios import WHOLE_TREND_BARS, whole_trend
from tests.strandline_sim.market import things
from tests.strandline_sim.market.things import HOUR, MINUTE, START

SPANS = (20, 30, 60, 144, 250, 333)
AVERAGES = dict[int, float]


def averages(closes: list[float]) -> list[AVERAGES]:
    """The exponential averages after each bar."""
    now: AVERAGES = dict.fromkeys(SPANS, closes[0])
    found = []
    for close in closes:
        now = {span: value + 2 / (span + 1) * (close - value) for span, value in now.items()}
        found.append(now)
    return found


def declining(now: AVERAGES) -> bool:
    return max(now[20], now[30]) < now[60] < now[144] < now[250] < now[333]


def rising(now: AVERAGES) -> bool:
    return min(now[20], now[30]) > now[60] > now[144] > now[250] > now[333]


def over(now: AVERAGES) -> bool:
    return max(now[20], now[30], now[60], now[144], now[250]) < now[333]


@pytest.mark.parametrize(("bar", "amplitude"), [(HOUR, 1.0), (5 * MINUTE, 0.4), (MINUTE, 0.25)])
@pytest.mark.parametrize("seed", range(3))
def test_a_whole_trend(seed: int, bar: int, amplitude: float) -> None:
    market = Market(seed, [things.SOL], {"SOL": whole_trend(START, bar, amplitude)})
    candles = market.candles("SOL", bar, START, START + WHOLE_TREND_BARS * bar)
    line = averages([float(candle.close) for candle in candles])
    assert declining(line[680]), "when the engine starts to speak the decline is orderly"
    turned = next(index for index in range(720, len(line)) if rising(line[index]))
    broken = next(index for index in range(turned, len(line)) if over(line[index]))
    assert 800 < turned < 1100
    assert broken - turned > 300, "time for entries, pullbacks and trims"
    trend = candles[turned:broken]
    dips = sum(float(candle.low) < line[turned + index][20] for index, candle in enumerate(trend))
    highest = max(range(len(trend)), key=lambda index: trend[index].high)
    stretched = float(trend[highest].high) / line[turned + highest][60] - 1
    assert dips > 20
    assert stretched > 0.04 * amplitude, "it overextends itself"
