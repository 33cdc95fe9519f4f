"""Every input moves every score in the right direction, so that a wrong sign is found."""

from typing import Any, Final

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numba import njit

from strandline.engine import results
from strandline.engine.parameters import parameters
from strandline.engine.scores import score
from strandline.engine.series_state import StateFormat
from strandline.engine.states import S2, S3
from tests.engine.samples import STRATEGY

PARAMETERS: Final = parameters(STRATEGY)
FORMAT: Final = StateFormat(STRATEGY)

# A calm trend with the price in the middle of the band between the slow averages, where no term is saturated.
MIDDLE: Final = {
    "close": 103.5, "ema20": 104.0, "ema30": 103.9, "ema60": 103.8, "ema144": 104.0, "ema250": 103.6, "ema333": 103.0,
    "slope20": 0.0, "slope60": 0.0, "slope144": 0.0, "slope250": 0.0, "slope333": 0.0, "atr": 0.5,
    "session_atr": 0.5, "full_atr": 0.5, "adx": 25.0,
    "rsi": 50.0, "rsi_slope": 0.0, "adx_slope": 0.0, "dsep_fast": 0.0, "dsep_mid": 0.0, "atr_ratio": 0.9, "vo_z": 0.0,
    "lower_low_share": 0.45, "under_ema60_share": 0.4, "closes_under_ema333": 0.0,
}  # fmt: skip

UP, DOWN = 1, -1

# Score, input, direction, and how far the input can move without saturating the term.
MOVES: Final = [
    ("ts", "rsi_slope", UP, 2.0),
    ("ts", "adx_slope", UP, 1.0),
    ("ox", "close", UP, 3.0),
    ("ox", "ema20", DOWN, 3.0),
    ("ox", "ema60", DOWN, 3.0),
    ("ox", "ema144", DOWN, 3.0),
    ("ox", "ema250", DOWN, 3.0),
    ("ox", "dsep_fast", UP, 0.004),
    ("ox", "dsep_mid", UP, 0.003),
    ("ox", "atr_ratio", UP, 1.0),
    ("ox", "slope20", DOWN, 0.002),
    ("edx", "slope250", DOWN, 0.001),
    ("edx", "slope333", DOWN, 0.001),
    ("edx", "lower_low_share", UP, 0.5),
    ("edx", "under_ema60_share", UP, 0.5),
    ("edx", "vo_z", DOWN, 4.0),
    ("edx", "dsep_mid", DOWN, 0.003),
    ("edx", "dsep_fast", DOWN, 0.004),
    ("dx", "close", DOWN, 0.4),
    ("dx", "vo_z", DOWN, 0.5),
    ("dx", "atr_ratio", DOWN, 0.2),
    ("dx", "rsi_slope", UP, 2.0),
    ("dx", "adx_slope", UP, 1.0),
    ("dx_threshold", "close", UP, 0.4),
]


@njit
def _score_first(states: Any, volume_known: bool, parameters: Any, now: Any, terms: Any, scores: Any) -> None:
    """Python cannot pass a record with views to a compiled function, only an array of them."""
    score(states[0], volume_known, parameters[0], now[0], terms[0], scores[0], np.empty(31, np.int64))


def scored(
    changes: dict[str, float], *, state: int = S2, volume_known: bool = True, then: float = 0.0
) -> dict[str, Any]:
    """The scores of MIDDLE with some inputs changed; `then` is slope144 ten bars ago."""
    states = FORMAT.read([FORMAT.new_state()])
    states["state"], states["slope144_values"][0, 0] = state, then
    now = np.array([tuple((MIDDLE | changes).values())], results.INDICATORS)
    terms, scores = np.zeros(1, results.TERMS_WITH_VIEWS), np.zeros(1, results.SCORES)
    _score_first(states, volume_known, PARAMETERS, now, terms, scores)
    return {name: scores[name][0].item() for name in scores.dtype.names or ()}


@pytest.mark.parametrize(("name", "source", "direction", "reach"), MOVES)
@given(data=st.data())
def test_direction(name: str, source: str, direction: int, reach: float, data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.tuples(st.floats(-reach, reach), st.floats(-reach, reach))))
    assume(high - low > reach / 100)
    less, more = (scored({source: MIDDLE[source] + by})[name] for by in (low, high))
    assert (more > less) if direction == UP else (more < less)


def test_every_input_of_a_score_has_its_direction() -> None:
    """No other input moves a score, except those with their own tests below."""
    tested = {(name, source) for name, source, *_ in MOVES}
    base = scored({})
    for source in MIDDLE:
        moved = {
            name
            for by in (-0.3, 0.3)
            for name, value in scored({source: MIDDLE[source] + by}).items()
            if value != base[name]
        }
        through_decay_and_band = {
            ("dx", "ema144"),
            ("dx", "ema333"),
            ("dx_threshold", "ema144"),
            ("dx_threshold", "ema333"),
        }
        through_decay = {(name, source) for name in ("dx", "dx_threshold") if ("edx", source) in tested}
        rising = {("dx", "slope144"), ("ox", "atr")}
        assert {(name, source) for name in moved} <= tested | through_decay_and_band | through_decay | rising


@given(adx=st.floats(0, 60))
def test_the_slope_of_adx_counts_in_a_strong_trend(adx: float) -> None:
    less, more = (scored({"adx": adx, "adx_slope": slope}) for slope in (-1.0, 1.0))
    for name in ("ts", "dx"):
        assert (more[name] > less[name]) == (adx >= 18)


def test_a_dip_is_better_while_the_middle_rises() -> None:
    assert scored({"slope144": 0.0}, then=-0.1)["dx"] == pytest.approx(scored({})["dx"] + 0.05, abs=0.01)
    assert scored({"slope144": -0.2}, then=-0.1)["dx"] == scored({})["dx"]


@given(narrow=st.floats(0.1, 2.0), wide=st.floats(0.1, 2.0))
def test_a_dip_is_better_in_a_narrow_band(narrow: float, wide: float) -> None:
    """With price in the same place of it."""
    assume(narrow + 0.05 < wide)
    bands = [{"ema144": 103.0 + band, "close": 103.0 + band / 2} for band in (narrow, wide)]
    better, worse = (scored(band)["dx"] for band in bands)
    assert better > worse


def test_decay_weighs_on_dips_and_raises_their_threshold() -> None:
    healthy, decayed = (scored({"slope250": s, "slope333": s, "lower_low_share": 0.9}) for s in (0.01, -0.01))
    assert healthy["edx"] < 0.6 < decayed["edx"]
    assert decayed["dx"] < healthy["dx"]
    assert decayed["dx_threshold"] > healthy["dx_threshold"]


def test_decay_makes_a_trend_look_overextended_sooner() -> None:
    decay = {"slope250": -0.01, "slope333": -0.01, "lower_low_share": 0.9}
    assert scored(decay, state=S3)["ox"] > scored(decay)["ox"] == scored({})["ox"]
    healthy = {"slope250": 0.01, "slope333": 0.01}
    assert scored(healthy, state=S3)["ox"] == scored(healthy)["ox"]


def test_an_unknown_volume_counts_as_average() -> None:
    unknown = scored({"vo_z": 3.0}, volume_known=False)
    assert unknown == scored({"vo_z": 0.0})


def test_the_threshold_of_a_dip_at_its_ends() -> None:
    healthy = {"slope250": 0.01, "slope333": 0.01}
    assert scored(healthy | {"close": 104.0})["dx_threshold"] == pytest.approx(0.65)
    assert scored(healthy | {"close": 103.0})["dx_threshold"] == pytest.approx(0.50)
    worst = {"slope250": -1.0, "slope333": -1.0, "lower_low_share": 1.0, "under_ema60_share": 1.0, "close": 103.0}
    assert scored(worst)["dx_threshold"] == pytest.approx(0.65)
