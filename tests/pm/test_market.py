"""The market's terms: every cell of the table, drivers that fade evenly, what is missing is neutral and named."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.regime import MACRO, MESO, Phase
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.pm import plan
from strandline.pm.inputs import RegimeInputs
from strandline.pm.market import market_scores
from tests.pm.sample_inputs import STRATEGY, T, changed, cycle, decide, row, strategy_with
from tests.pm.sample_regime import driver, phase

TABLE = {
    Phase.DIP: ((0.2, 0.8), (0.6, 1.4)),
    Phase.DOUBLE_DIP: ((0.4, 0.7), (0.8, 1.2)),
    Phase.OH_SHIT: ((0.9, 0.8), (1.2, 0.8)),
    Phase.RECOVER: ((1.0, 0.5), (1.3, 1.0)),
    Phase.GOOD: ((0.5, 0.3), (1.1, 1.1)),
    Phase.EUPHORIA: ((0.4, 0.5), (1.0, 1.4)),
    Phase.NEUTRAL: ((0.5, 0.5), (1.0, 1.0)),
}
"""Base of A and E by the hour, factors by the day."""

KINDS = {
    "buy": (Flag.BUY_FLAG, 0.15, -0.15),
    "trim": (Flag.TRIM_FLAG, -0.20, 0.20),
    "emergency": (Flag.EMERGENCY_EXIT, -0.40, 0.40),
}
WEIGHTS = {"btc": 0.3, "index": 0.5}


def terms(**known: Any) -> Mapping[str, float]:
    return market_scores(RegimeInputs(**known), T, STRATEGY).terms


def missing(**known: Any) -> tuple[str, ...]:
    return market_scores(RegimeInputs(**known), T, STRATEGY).neutral


@pytest.mark.parametrize("counts", Phase)
def test_each_phase_has_its_cells(counts: Phase) -> None:
    (meso_a, meso_e), (macro_a, macro_e) = TABLE[counts]
    hourly, daily = terms(meso=phase(counts)), terms(macro=phase(counts, MACRO))
    assert (hourly["meso_a"], hourly["meso_e"], hourly["macro_a"], hourly["macro_e"]) == (meso_a, meso_e, 1.0, 1.0)
    assert (daily["meso_a"], daily["meso_e"], daily["macro_a"], daily["macro_e"]) == (0.5, 0.5, macro_a, macro_e)


@pytest.mark.parametrize("meso", Phase)
@pytest.mark.parametrize("macro", Phase)
def test_the_day_multiplies_the_hour(meso: Phase, macro: Phase) -> None:
    evidence = decide(row(), regime=RegimeInputs(meso=phase(meso), macro=phase(macro, MACRO))).evidence
    (base_a, base_e), (factor_a, factor_e) = TABLE[meso][0], TABLE[macro][1]
    assert evidence.appetite == pytest.approx(min(1.0, base_a * factor_a), abs=1e-9)
    assert evidence.exit_urgency == pytest.approx(min(1.0, base_e * factor_e), abs=1e-9)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ago", range(9))
def test_a_driver_fades_evenly_over_six_bars(name: str, kind: str, ago: int) -> None:
    flag, a, e = KINDS[kind]
    found, left = terms(**{name: driver((ago, flag))}), max(0.0, 1 - ago / 6)
    assert found[f"{name}_{kind}"] == pytest.approx(left, abs=1e-9)
    assert found["drivers_a"] == pytest.approx(WEIGHTS[name] * a * left, abs=1e-9)
    assert found["drivers_e"] == pytest.approx(WEIGHTS[name] * e * left, abs=1e-9)


def test_each_driver_moves_a_and_e_its_own_way() -> None:
    calm = terms(btc=driver(), index=driver())
    for name in WEIGHTS:
        for kind, (flag, a, _) in KINDS.items():
            found = terms(**{"btc": driver(), "index": driver(), name: driver((0, flag))})
            assert (found["drivers_a"] > calm["drivers_a"]) is (a > 0), kind
            assert (found["drivers_e"] < calm["drivers_e"]) is (a > 0), kind


@pytest.mark.parametrize("flag", [Flag.BUY_SIGNAL, Flag.BUY_FLAG, Flag.FIRST_DIP_BUY_FLAG])
def test_every_buy_flag_drives(flag: Flag) -> None:
    assert terms(index=driver((0, flag)))["index_buy"] == 1.0


@pytest.mark.parametrize("flag", [Flag.RECLAIMED_EMA333, Flag.EXIT_POSITION])
def test_other_flags_drive_nothing(flag: Flag) -> None:
    assert terms(index=driver((0, flag)))["drivers_a"] == 0.0


def test_the_newest_flag_of_a_kind_counts_and_only_once() -> None:
    """Read oldest first and cut off, it would be the other one: the fault of a regime that is frozen."""
    found = terms(index=driver((5, Flag.TRIM_FLAG), (1, Flag.TRIM_FLAG), (3, Flag.TRIM_FLAG)))
    assert found["index_trim"] == pytest.approx(5 / 6, abs=1e-9)
    assert found["drivers_a"] == pytest.approx(0.5 * -0.20 * 5 / 6, abs=1e-9)


def test_drivers_of_all_kinds_add_up() -> None:
    found = terms(btc=driver((0, Flag.BUY_SIGNAL), (3, Flag.TRIM_FLAG)), index=driver((2, Flag.EMERGENCY_EXIT)))
    expected = 0.3 * 0.15 + 0.3 * -0.20 * 0.5 + 0.5 * -0.40 * (4 / 6)
    assert found["drivers_a"] == pytest.approx(expected, abs=1e-9)
    assert found["drivers_e"] == pytest.approx(-expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(Flag)), max_size=6),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(Flag)), max_size=6),
)
def test_drivers_stay_in_their_bounds(btc: list[tuple[int, Flag]], index: list[tuple[int, Flag]]) -> None:
    found = terms(btc=driver(*btc), index=driver(*index))
    assert -0.8 * 0.60 <= found["drivers_a"] <= 0.8 * 0.15
    assert -0.8 * 0.15 <= found["drivers_e"] <= 0.8 * 0.60


KNOWN: dict[str, Any] = {
    "meso": phase(Phase.GOOD),
    "macro": phase(Phase.GOOD, MACRO),
    "btc": driver((0, Flag.BUY_FLAG)),
    "index": driver((0, Flag.BUY_FLAG)),
}


def test_what_is_known_is_not_named_as_missing() -> None:
    assert missing(**KNOWN) == ()


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_missing_is_neutral_and_named_and_entries_stay_allowed(name: str) -> None:
    known = {key: value for key, value in KNOWN.items() if key != name}
    assert missing(**known) == (name,)
    decision = decide(row(Flag.BUY_SIGNAL), regime=RegimeInputs(**known))
    assert decision.rule is Rule.FIRST_BUY
    assert decision.evidence.inputs["neutral_terms"] == name


def test_with_nothing_known_entries_are_allowed() -> None:
    assert decide(row(Flag.BUY_SIGNAL)).rule is Rule.FIRST_BUY


@pytest.mark.parametrize("name", KNOWN)
def test_a_bar_that_is_late_may_lack_two_more_and_not_three(name: str) -> None:
    timeframe = MACRO if name == "macro" else MESO
    late = {
        bars: changed(KNOWN[name], bar_ts=KNOWN[name].bar_ts - bars * timeframe.length)
        if name in ("meso", "macro")
        else driver(bars_late=bars)
        for bars in (2, 3)
    }
    assert missing(**(KNOWN | {name: late[2]})) == ()
    assert missing(**(KNOWN | {name: late[3]})) == (name,)


@pytest.mark.parametrize("name", ["btc", "index"])
def test_a_driver_with_too_few_bars_for_flags_is_missing(name: str) -> None:
    assert missing(**(KNOWN | {name: driver(bar_count=665)})) == (name,)
    assert missing(**(KNOWN | {name: driver(bar_count=666)})) == ()


def test_the_strand_tells_bars_and_phases() -> None:
    inputs = decide(row(), regime=RegimeInputs(**KNOWN)).evidence.inputs
    assert inputs["meso_phase"] == "good"
    assert inputs["macro_bar"] == f"{MACRO.last_final(T).isoformat()} revision 0"
    assert inputs["btc_flags"] == f"{MESO.last_final(T).isoformat()} buy_flag"


def test_a_bar_that_is_not_over_is_refused() -> None:
    ahead = changed(phase(Phase.GOOD), bar_ts=MESO.start_of(T))
    with pytest.raises(ValueError, match="ends after the cycle"):
        cycle(row(), regime=RegimeInputs(meso=ahead))


def test_the_numbers_come_from_the_strategy() -> None:
    other = strategy_with("drivers", fade_bars=2, index_weight=1.0, buy=(0.3, -0.1))
    found = market_scores(RegimeInputs(index=driver((1, Flag.BUY_FLAG))), T, other).terms
    assert (found["index_buy"], found["drivers_a"], found["drivers_e"]) == (0.5, 0.15, -0.05)


def test_the_regime_is_part_of_what_a_plan_depends_on() -> None:
    known = plan(cycle(row(), regime=RegimeInputs(**KNOWN)), STRATEGY)
    assert known.digest != plan(cycle(row()), STRATEGY).digest
