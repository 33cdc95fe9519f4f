"""Phases: what a bar of the index shows, the deepest that holds, and two bars before a new one counts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.regime import Phase
from strandline.model.signal import EngineState
from strandline.pm.phases import NO_PHASE, IndexView, PhaseHeld, confirm, shown_phase
from tests.pm.sample_inputs import STRATEGY, strategy_with

REGIME = STRATEGY.regime
S0, S1, S2, S3, S4 = EngineState


def shown(state: EngineState | None, **special: Any) -> Phase:
    """What a bar shows that is far from every limit."""
    fields = {"overextension": 0.5, "rsi": 50.0, "at_low": False, "drawdown": 0.1} | special
    return shown_phase(IndexView(state, **fields), REGIME)


@pytest.mark.parametrize(
    ("state", "special", "phase"),
    [
        (S0, {}, Phase.DIP),
        (S0, {"at_low": True}, Phase.DOUBLE_DIP),
        (S0, {"drawdown": 0.25, "rsi": 29.9}, Phase.OH_SHIT),
        (S0, {"drawdown": 0.25, "rsi": 29.9, "at_low": True}, Phase.OH_SHIT),
        (S0, {"drawdown": 0.25, "rsi": 30.0, "at_low": True}, Phase.DOUBLE_DIP),
        (S0, {"drawdown": 0.2499, "rsi": 10.0}, Phase.DIP),
        (S0, {"overextension": 0.9}, Phase.DIP),
        (S1, {}, Phase.RECOVER),
        (S1, {"drawdown": 0.5, "rsi": 10.0, "at_low": True}, Phase.RECOVER),
        (S2, {}, Phase.GOOD),
        (S2, {"overextension": 0.9}, Phase.GOOD),
        (S3, {"overextension": 0.7999}, Phase.GOOD),
        (S3, {"overextension": 0.80}, Phase.EUPHORIA),
        (S4, {"overextension": 0.9, "drawdown": 0.5, "rsi": 10.0, "at_low": True}, Phase.NEUTRAL),
        (None, {}, Phase.NEUTRAL),
    ],
)
def test_what_a_bar_shows(state: EngineState | None, special: dict[str, Any], phase: Phase) -> None:
    assert shown(state, **special) is phase


def test_the_limits_come_from_the_strategy() -> None:
    other = strategy_with("regime", drawdown_pct=10.0, oversold_rsi=60.0, euphoria_overextension=0.4).regime
    view = IndexView(S0, overextension=0.5, rsi=50.0, at_low=False, drawdown=0.1)
    assert shown_phase(view, other) is Phase.OH_SHIT
    assert shown_phase(view._replace(state=S3), other) is Phase.EUPHORIA


def counted(*bars: Phase, needed: int = 2) -> list[Phase]:
    """The phases that count after each of these bars."""
    held, phases = NO_PHASE, []
    for one in bars:
        held = confirm(held, one, needed)
        phases.append(held.phase)
    return phases


GOOD, DIP, RECOVER, NEUTRAL = Phase.GOOD, Phase.DIP, Phase.RECOVER, Phase.NEUTRAL


def test_a_new_phase_counts_from_its_second_bar() -> None:
    assert counted(GOOD, GOOD, DIP, DIP, DIP) == [NEUTRAL, GOOD, GOOD, DIP, DIP]


def test_one_bar_of_another_phase_changes_nothing_and_is_not_remembered() -> None:
    assert counted(GOOD, GOOD, DIP, GOOD, DIP, GOOD) == [NEUTRAL, GOOD, GOOD, GOOD, GOOD, GOOD]


def test_two_bars_of_two_new_phases_confirm_neither() -> None:
    assert counted(GOOD, GOOD, DIP, RECOVER, RECOVER) == [NEUTRAL, GOOD, GOOD, GOOD, RECOVER]


def test_the_number_of_bars_is_the_strategys() -> None:
    assert counted(DIP, DIP, DIP, needed=3) == [NEUTRAL, NEUTRAL, DIP]
    assert counted(DIP, needed=1) == [DIP]


@given(st.lists(st.sampled_from(Phase), max_size=30), st.integers(1, 4))
def test_what_counts_is_the_newest_phase_that_held_long_enough(bars: list[Phase], needed: int) -> None:
    held = NO_PHASE
    for one in bars:
        held = confirm(held, one, needed)
    runs = [bars[end - 1] for end in range(needed, len(bars) + 1) if len(set(bars[end - needed : end])) == 1]
    assert held.phase is (runs[-1] if runs else NEUTRAL)


@given(st.lists(st.sampled_from(Phase), max_size=20), st.integers(0, 20))
def test_it_may_stop_after_any_bar_and_go_on(bars: list[Phase], at: int) -> None:
    whole = held = NO_PHASE
    for one in bars:
        whole = confirm(whole, one, 2)
    for one in bars[:at]:
        held = confirm(held, one, 2)
    held = PhaseHeld(*held)
    for one in bars[at:]:
        held = confirm(held, one, 2)
    assert held == whole
