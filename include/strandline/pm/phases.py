"""The phase of the market: what a bar of the index shows, and whether it has held for long enough to count."""

from typing import NamedTuple

from strandline.model.regime import Phase
from strandline.model.signal import EngineState
from strandline.model.strategy import Regime


class IndexView(NamedTuple):
    """The index after a bar. `drawdown` is the share that the close is below the highest high of the drawdown's bars;
    `at_low` whether no bar of the double dip's was lower.
    """

    state: EngineState | None
    overextension: float
    rsi: float
    at_low: bool
    drawdown: float


class PhaseHeld(NamedTuple):
    """The phase that counts, the one that the newest bar shows, and on how many bars in a row it has been shown."""

    phase: Phase
    shown: Phase
    bars: int


NO_PHASE = PhaseHeld(Phase.NEUTRAL, Phase.NEUTRAL, 0)
"""Before the first bar."""


def shown_phase(view: IndexView, regime: Regime) -> Phase:
    """The phase that a bar shows; in S0 the deepest that holds."""
    match view.state:
        case EngineState.S0:
            return _downtrend(view, regime)
        case EngineState.S1:
            return Phase.RECOVER
        case EngineState.S2:
            return Phase.GOOD
        case EngineState.S3:
            return Phase.EUPHORIA if view.overextension >= regime.euphoria_overextension else Phase.GOOD
        case _:
            return Phase.NEUTRAL


def confirm(before: PhaseHeld, shown: Phase, bars: int) -> PhaseHeld:
    """The phase after one more bar: another than before once so many bars in a row have shown it."""
    held = before.bars + 1 if shown is before.shown else 1
    return PhaseHeld(shown if held >= bars else before.phase, shown, held)


def _downtrend(view: IndexView, regime: Regime) -> Phase:
    if view.drawdown >= regime.drawdown_pct / 100 and view.rsi < regime.oversold_rsi:
        return Phase.OH_SHIT
    return Phase.DOUBLE_DIP if view.at_low else Phase.DIP
