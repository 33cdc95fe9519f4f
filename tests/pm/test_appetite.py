"""A and E: their composition by hand, the direction of each term, their bounds."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Money
from strandline.model.regime import MACRO, Phase
from strandline.model.signal import Flag
from strandline.model.strategy import Strategy
from strandline.pm import plan
from strandline.pm.appetite import AppetiteScores, appetite_scores, cut_pressure
from strandline.pm.inputs import CycleInputs, RegimeInputs, RowInputs, TradeHistory
from strandline.pm.market import market_scores
from tests.pm.generated_inputs import cycles
from tests.pm.sample_inputs import STRATEGY, T, changed, cycle, held, row, strategy_with
from tests.pm.sample_regime import driver, phase


def scores(one: RowInputs, *others: RowInputs, strategy: Strategy = STRATEGY, **special: Any) -> AppetiteScores:
    """The scores of the first row."""
    inputs = cycle(one, *others, **special)
    market = market_scores(inputs.regime, T, strategy)
    return appetite_scores(one, T, market, cut_pressure(inputs, strategy), strategy)


def crowd(size: int) -> list[RowInputs]:
    """This many other rows that hold something."""
    return [row(token=f"T{number}", holding=held(), newest=None, signals=()) for number in range(size)]


def test_without_a_regime_both_are_neutral_and_what_is_missing_is_named() -> None:
    neutral = scores(row())
    assert (neutral.appetite, neutral.exit_urgency) == (0.5, 0.5)
    assert neutral.neutral == ("meso", "macro", "btc", "index")
    assert scores(row(), peak=None).neutral == ("meso", "macro", "btc", "index", "drawdown")
    assert scores(row(), equity=None).neutral == ("meso", "macro", "btc", "index", "drawdown")


def test_the_composition_by_hand() -> None:
    """Equity 10 % under its peak, 18 positions, 2 losses in a row: cp = .25 + .15 + .08 = .48."""
    holding = held(invested=Money(1000), extracted=Money(500), first_fill_at=T - timedelta(days=7))
    one = row(holding=holding, history=TradeHistory(failed_attempts=2))
    found = scores(one, *crowd(17), equity=Money(90_000), peak=Money(100_000), losing_streak=2)
    assert found.terms["cut_pressure"] == pytest.approx(0.48, abs=1e-12)
    assert found.appetite == pytest.approx(0.5 * (1 - 0.33 * 0.48) - 0.05 * 2, abs=1e-9)
    assert found.exit_urgency == pytest.approx(0.5 * (1 + 0.33 * 0.48) + 0.10 * 0.5 + 0.05 * 0.5, abs=1e-9)


def test_drivers_come_before_the_pressure_and_the_position_after_it() -> None:
    """Meso good, macro recover, an index buy of this bar, cp = .2, one failed attempt."""
    regime = RegimeInputs(meso=phase(Phase.GOOD), macro=phase(Phase.RECOVER, MACRO), index=driver((0, Flag.BUY_FLAG)))
    found = scores(row(history=TradeHistory(failed_attempts=1)), losing_streak=5, regime=regime)
    assert found.appetite == pytest.approx((0.5 * 1.3 + 0.5 * 0.15) * (1 - 0.33 * 0.2) - 0.05, abs=1e-9)
    assert found.exit_urgency == pytest.approx((0.3 * 1.0 - 0.5 * 0.15) * (1 + 0.33 * 0.2), abs=1e-9)


def test_only_the_end_is_clamped() -> None:
    """Two emergencies take more than the dip gives; what the position adds is added to less than nothing."""
    regime = RegimeInputs(
        meso=phase(Phase.EUPHORIA),
        macro=phase(Phase.EUPHORIA, MACRO),
        btc=driver((0, Flag.BUY_SIGNAL)),
        index=driver((0, Flag.BUY_FLAG)),
    )
    low = strategy_with("drivers", buy=(0.15, -1.0))
    found = scores(row(holding=held(first_fill_at=T - timedelta(days=7))), regime=regime, strategy=low)
    assert found.exit_urgency == pytest.approx(max(0.0, 0.5 * 1.4 - 0.8 + 0.05 * 0.5), abs=1e-9)
    assert found.exit_urgency == 0.0


def test_the_position_is_added_after_the_pressure() -> None:
    """A multiplier is no delta: pressure does not damp what failed attempts take."""
    calm, pressed = (
        scores(row(history=TradeHistory(failed_attempts=1)), losing_streak=streak).appetite for streak in (0, 5)
    )
    assert calm - pressed == pytest.approx(0.5 * 0.33 * 0.2, abs=1e-9)


WORSE: dict[str, tuple[dict[str, Any], int]] = {
    "drawdown": ({"equity": Money(90_000), "peak": Money(100_000)}, 0),
    "losing streak": ({"losing_streak": 1}, 0),
    "crowding": ({}, 13),
}


@pytest.mark.parametrize("name", WORSE)
def test_pressure_lowers_a_and_raises_e(name: str) -> None:
    special, others = WORSE[name]
    calm, pressed = scores(row()), scores(row(), *crowd(others), **special)
    assert pressed.appetite < calm.appetite
    assert pressed.exit_urgency > calm.exit_urgency


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"equity": Money(80_000)}, {"equity": Money(10_000)}),
        ({"losing_streak": 5}, {"losing_streak": 9}),
        ({"equity": Money(100_000)}, {"equity": Money(200_000)}),
    ],
)
def test_each_pressure_is_bounded(less: dict[str, Any], more: dict[str, Any]) -> None:
    assert scores(row(), **less) == scores(row(), **more)


@pytest.mark.parametrize(("others", "crowding"), [(12, 0.0), (13, 0.083333333), (24, 1.0), (30, 1.0)])
def test_crowding_starts_above_twelve_positions(others: int, crowding: float) -> None:
    assert scores(row(), *crowd(others)).terms["crowding"] == crowding


def test_failed_attempts_lower_a_only_and_three_at_most() -> None:
    found = [scores(row(history=TradeHistory(failed_attempts=count))) for count in range(5)]
    assert [one.appetite for one in found] == [0.5, 0.45, 0.4, 0.35, 0.35]
    assert {one.exit_urgency for one in found} == {0.5}


def test_what_was_extracted_and_age_raise_e_only() -> None:
    young = held(first_fill_at=T, invested=Money(100))
    plain, paid = scores(row(holding=young)), scores(row(holding=changed(young, extracted=Money(50))))
    old = scores(row(holding=changed(young, first_fill_at=T - timedelta(days=14))))
    paid_twice = scores(row(holding=changed(young, extracted=Money(200))))
    assert [one.exit_urgency for one in (plain, paid, old, paid_twice)] == [0.5, 0.55, 0.55, 0.6]
    assert {one.appetite for one in (plain, paid, old, paid_twice)} == {0.5}


def test_a_closed_trade_adds_no_urgency() -> None:
    closed = changed(row().position.holding, trade_no=3, invested=Money(100), extracted=Money(300))
    assert scores(row(holding=closed)) == scores(row())


@given(
    st.integers(0, 20),
    st.integers(-50, 300),
    st.integers(0, 3000),
    st.integers(-5, 10**4),
)
def test_both_stay_in_their_bounds(streak: int, equity: int, days: int, extracted: int) -> None:
    holding = held(first_fill_at=T - timedelta(days=days), extracted=Money(max(0, extracted)))
    inputs: CycleInputs = cycle(row(holding=holding), equity=Money(equity), peak=Money(100), losing_streak=streak)
    market = market_scores(inputs.regime, T, STRATEGY)
    found = appetite_scores(inputs.rows[0], T, market, cut_pressure(inputs, STRATEGY), STRATEGY)
    assert 0 <= found.appetite <= 1
    assert 0 <= found.exit_urgency <= 1


@given(cycles())
def test_both_can_be_computed_again_from_the_terms_alone(inputs: CycleInputs) -> None:
    """To the last digit, whatever is known."""
    for decision in plan(inputs, STRATEGY).decisions:
        evidence = decision.evidence
        terms = evidence.terms
        a = (terms["meso_a"] * terms["macro_a"] + terms["drivers_a"]) * terms["cut_a"] + terms["position_a"]
        e = (terms["meso_e"] * terms["macro_e"] + terms["drivers_e"]) * terms["cut_e"] + terms["position_e"]
        assert evidence.appetite == round(min(1.0, max(0.0, a)), 9)
        assert evidence.exit_urgency == round(min(1.0, max(0.0, e)), 9)


def test_the_numbers_come_from_the_strategy() -> None:
    one = row(history=TradeHistory(failed_attempts=1))
    other = strategy_with("appetite", per_failed_attempt=-0.2)
    assert scores(one, strategy=other).appetite == 0.3
