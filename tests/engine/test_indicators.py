"""Each indicator equals the one of the slow, independent reference implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engine import Bars
from strandline.engine.results import INDICATORS
from tests.engine import reference, samples

WARM = samples.FIRST_STATE


@settings(max_examples=12)
@given(seed=samples.seeds, volatility=st.floats(0.0002, 0.02))
def test_against_the_reference(seed: int, volatility: float) -> None:
    bars = samples.random_bars(seed, 700, volatility)
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
    for name in ("atr", "rsi", "adx"):
        np.testing.assert_allclose(found[name][27:], wanted[name][27:], rtol=1e-9)


def test_averages_start_with_the_first_close() -> None:
    first = samples.run(samples.bars_of_closes([123.0])).indicators[0]
    assert [first[f"ema{span}"] for span in reference.SPANS] == [123.0] * 6


def test_the_session_gap_is_ignored_by_the_range_alone() -> None:
    bars = samples.random_bars(2, 400)
    calm = bars._replace(jump_ignored=np.zeros(400, "u1"))
    jumped = samples.concatenated(
        samples.bars_between(calm, 0, 399), _jumped(samples.bars_between(calm, 399, 400), ignored=0)
    )
    ignored = samples.concatenated(
        samples.bars_between(calm, 0, 399), _jumped(samples.bars_between(calm, 399, 400), ignored=1)
    )
    before, full, session = (samples.run(which).indicators[-1] for which in (calm, jumped, ignored))
    assert full["atr"] > 2 * before["atr"]
    assert session["atr"] == pytest.approx(before["atr"], rel=0.2)
    assert session["adx"] == full["adx"]


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


def _jumped(bar: Bars, ignored: int) -> Bars:
    prices = {name: getattr(bar, name) * 1.2 for name in ("open", "high", "low", "close")}
    return bar._replace(**prices, jump_ignored=np.array([ignored], "u1"))
