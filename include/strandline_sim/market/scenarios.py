"""Scripts for a demo or a test: paths on which something happens."""

from typing import Final, NamedTuple

from strandline_sim.market.regime import Leg, Regime


class _Act(NamedTuple):
    """A leg, in bars and in parts of the whole amplitude."""

    regime: Regime
    bars: int
    drift: float
    swings: int
    noise: float


# An engine needs 666 bars before it says anything: the decline lasts longer, so that the turn is seen from the start.
_WHOLE_TREND: Final = (
    _Act(Regime.TREND_DOWN, 720, -0.36, 10, 0.5),
    _Act(Regime.RANGE, 100, 0.0, 3, 0.5),
    _Act(Regime.TREND_UP, 420, 0.45, 6, 0.6),
    _Act(Regime.TREND_UP, 30, 0.14, 1, 0.8),
    _Act(Regime.RANGE, 50, -0.05, 2, 0.8),
    _Act(Regime.CRASH, 60, -0.16, 1, 0.8),
    _Act(Regime.TREND_DOWN, 320, -0.28, 6, 0.6),
)

WHOLE_TREND_BARS: Final = sum(act.bars for act in _WHOLE_TREND)


def whole_trend(start_ms: int, bar_ms: int, amplitude: float = 1.0) -> list[Leg]:
    """A long decline, a base, an uptrend with pullbacks that overextends itself, and the break-down.

    Its lengths are counted in bars of the timeframe that trades it; a smaller amplitude suits short bars.
    """
    legs = []
    for act in _WHOLE_TREND:
        end_ms = start_ms + act.bars * bar_ms
        drift = act.drift * amplitude
        legs.append(
            Leg(
                regime=act.regime,
                start_ms=start_ms,
                end_ms=end_ms,
                drift=drift,
                swings=act.swings,
                noise=act.noise,
            )
        )
        start_ms = end_ms
    return legs
