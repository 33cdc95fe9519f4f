"""Each indicator equals the one of the slow, independent reference implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engine import Bars, gap_number
from strandline.engine.bars import GAPS, LAST_SESSION_GAP
from strandline.engine.results import INDICATORS
from strandline.model.bar import GapType
from tests.engine import reference, samples

WARM = samples.FIRST_STATE


@settings(max_examples=12)
@given(seed=samples.seeds, volatility=st.floats(0.0002, 0.02), full_range=st.booleans())
def test_against_the_reference(seed: int, volatility: float, full_range: bool) -> None:
    bars = samples.random_bars(seed, 700, volatility)._replace(full_range=np.full(700, full_range, "u1"))
    found, wanted = samples.run(bars).indicators, reference.indicators(bars)
    assert set(INDICATORS.names or ()) == set(wanted)
    for name in wanted:
        # A slope is a difference of nearly equal numbers: how exact it can be depends on what they are.
        scale = float(np.abs(wanted[name][WARM:]).max()) if name != "close" else 1.0
        np.testing.assert_allclose(
            found[name][WARM:], wanted[name][WARM:], rtol=1e-9, atol=1e-9 * max(scale, 1e-4), err_msg=name
        )


def test_smoothing_starts_with_a_plain_mean() -> None:
    """Compared within the first bars, where the start value still has weight."""
    bars = samples.random_bars(1, 60)
    found, wanted = samples.run(bars).indicators, reference.indicators(bars)
    for name in ("session_atr", "full_atr", "rsi", "adx"):
        np.testing.assert_allclose(found[name][27:], wanted[name][27:], rtol=1e-9)


def test_averages_start_with_the_first_close() -> None:
    first = samples.run(samples.bars_of_closes([123.0])).indicators[0]
    assert [first[f"ema{span}"] for span in reference.SPANS] == [123.0] * 6


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("full_range", [False, True])
def test_a_jump_between_sessions_is_in_the_full_range_alone(gap: GapType | None, *, full_range: bool) -> None:
    bars = samples.random_bars(2, 400)._replace(gap=np.zeros(400, "u1"), full_range=np.full(400, full_range, "u1"))
    jumped = samples.concatenated(
        samples.bars_between(bars, 0, 399), _jumped(samples.bars_between(bars, 399, 400), gap_number(gap))
    )
    before, after = (samples.run(which).indicators[-1] for which in (bars, jumped))
    assert after["full_atr"] > 2 * before["full_atr"]
    if gap in (GapType.OVERNIGHT, GapType.WEEKEND, GapType.HOLIDAY):
        assert after["session_atr"] == pytest.approx(before["session_atr"], rel=0.2)
    else:
        assert after["session_atr"] == after["full_atr"]
    assert after["atr"] == after["full_atr" if full_range else "session_atr"]


@given(seed=samples.seeds)
@settings(max_examples=12)
def test_without_session_gaps_both_ranges_are_equal_bar_for_bar(seed: int) -> None:
    bars = samples.random_bars(seed, 400)
    around_the_clock = bars._replace(gap=np.where(bars.gap > LAST_SESSION_GAP, bars.gap, 0))
    found = samples.run(around_the_clock).indicators
    assert found["session_atr"].tobytes() == found["full_atr"].tobytes() == found["atr"].tobytes()
    found = samples.run(bars).indicators
    assert (found["session_atr"] <= found["full_atr"]).all()


def test_the_kind_of_range_changes_nothing_but_the_atr_that_the_rules_take() -> None:
    bars = samples.random_bars(3, 700)
    session, full = (samples.run(bars._replace(full_range=np.full(700, one, "u1"))).indicators for one in (0, 1))
    differ = {name for name in INDICATORS.names or () if (session[name] != full[name]).any()}
    assert differ == {"atr", "atr_ratio"}


@given(seed=samples.seeds, closed=st.lists(st.tuples(st.integers(1, 699), st.integers(1, 10_000)), max_size=5))
@settings(max_examples=12)
def test_windows_count_bars_however_long_the_venue_was_closed(seed: int, closed: list[tuple[int, int]]) -> None:
    bars = samples.random_bars(seed, 700)
    later = np.zeros(700, "i8")
    for first, minutes in closed:
        later[first:] += minutes * samples.MINUTE
    found, moved = samples.run(bars), samples.run(bars._replace(ts=bars.ts + later))
    assert found.indicators.tobytes() == moved.indicators.tobytes()
    assert found.scores.tobytes() == moved.scores.tobytes()
    for name in ("bar_count", "state", "flags", "exit", "levels"):
        assert (found.bar_states[name] == moved.bar_states[name]).all(), name


def test_prices_that_do_not_move_give_finite_values() -> None:
    bars = samples.bars_of_closes(np.full(700, 5.0), spread=0.0)
    outputs = samples.run(bars)
    last = outputs.indicators[-1]
    assert (last["atr"], last["rsi"], last["adx"], last["atr_ratio"], last["vo_z"]) == (0, 50, 0, 1, 0)
    assert (last["lower_low_share"], last["under_ema60_share"]) == (0, 0)
    assert [last[f"slope{span}"] for span in (20, 60, 144, 250, 333)] == [0.0] * 5
    assert np.isfinite(outputs.scores.view("f8")).all()
    assert np.isfinite(outputs.terms.view("f8")).all()


def test_volume_is_compared_with_the_bars_before() -> None:
    volumes = np.tile([10.0, 12.0], 350)
    quiet = samples.run(samples.bars_of_closes(np.linspace(100, 101, 700), volumes=volumes)).indicators["vo_z"][-1]
    volumes[-1] = 1e9
    loud = samples.run(samples.bars_of_closes(np.linspace(100, 101, 700), volumes=volumes)).indicators["vo_z"][-1]
    volumes[-1] = 0.0
    silent = samples.run(samples.bars_of_closes(np.linspace(100, 101, 700), volumes=volumes)).indicators["vo_z"][-1]
    assert (silent, loud) == (-4, 6)
    assert quiet == pytest.approx(1, abs=0.1)


def _jumped(bar: Bars, gap: int) -> Bars:
    prices = {name: getattr(bar, name) * 1.2 for name in ("open", "high", "low", "close")}
    return bar._replace(**prices, gap=np.array([gap], "u1"), gap_magnitude_pct=np.array([20.0]))
