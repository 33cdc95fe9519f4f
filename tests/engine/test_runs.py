"""The same bars give the same bytes: all at once or one by one, one series or many, on every processor."""

import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engine import Bars, Outputs, Series
from strandline.engine.flags import FIRST_DIP
from strandline.model.timeframe import Timeframe
from tests.engine import samples
from tests.engine.samples import ENGINE

SERIES = Series(7, Timeframe.M1, 1)


@settings(max_examples=30)
@given(seed=samples.seeds, cut=st.integers(0, 800))
def test_bars_split_at_any_point_give_the_same(seed: int, cut: int) -> None:
    bars = samples.random_bars(seed, 800)
    state, whole = ENGINE.run(ENGINE.new_state(), bars)
    between, first = ENGINE.run(ENGINE.new_state(), samples.bars_between(bars, 0, cut))
    end, second = ENGINE.run(between, samples.bars_between(bars, cut, 800))
    assert end == state
    assert samples.same_bytes(samples.concatenated_outputs(first, second), whole)


def test_bars_one_by_one_give_the_same() -> None:
    bars = samples.random_bars(1, 700)
    state, whole = ENGINE.new_state(), ENGINE.run(ENGINE.new_state(), bars)[1]
    for i in range(700):
        state, now = ENGINE.run(state, samples.bars_between(bars, i, i + 1))
        assert samples.same_bytes(now, _row(whole, i))


@settings(max_examples=20)
@given(series=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 50)), min_size=1, max_size=6))
def test_many_series_at_once_give_the_same(series: list[tuple[int, int]]) -> None:
    counts, keep = [count for count, _ in series], [newest for _, newest in series]
    parts = [samples.random_bars(seed, count) for seed, count in enumerate(counts)]
    states, outputs = ENGINE.run_many([ENGINE.new_state()] * len(counts), samples.concatenated(*parts), counts, keep)
    start = 0
    for seed, (part, newest) in enumerate(zip(parts, keep, strict=True)):
        state, alone = ENGINE.run(ENGINE.new_state(), part, newest)
        rows = slice(start, start + len(alone.bar_states))
        start += len(alone.bar_states)
        assert states[seed] == state
        assert len(alone.bar_states) == min(newest, counts[seed])
        assert outputs.scores[rows].tobytes() == alone.scores.tobytes()
        assert outputs.levels[rows].tobytes() == alone.levels.tobytes()
        assert set(outputs.bar_states[rows]["series"]) <= {seed}
    assert start == len(outputs.bar_states)


@settings(max_examples=20)
@given(
    series=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 400)), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=3),
    order=st.randoms(use_true_random=False),
    signals=st.booleans(),
)
def test_one_array_of_states_gives_the_same(
    series: list[tuple[int, int]], cuts: list[int], order: random.Random, signals: bool
) -> None:
    """Stepped in place, bar after bar into the same outputs, and with the series in any order."""
    order.shuffle(series)
    parts = [samples.random_bars(seed, count + 400) for seed, count in series]
    states, outputs = ENGINE.states([ENGINE.new_state()] * len(parts)), None
    places = [0, *sorted(cuts), 400]
    for start, end in pairwise(places):
        bars = samples.concatenated(*(samples.bars_between(part, start, end) for part in parts))
        counts = [end - start] * len(parts)
        outputs = ENGINE.advance(
            states, bars, counts, [min(end - start, 1)] * len(parts), signals=signals, into=outputs
        )
    for place, part in enumerate(parts):
        state, alone = ENGINE.run(ENGINE.new_state(), samples.bars_between(part, 0, 400), 1)
        assert states[place].tobytes() == state
        if outputs is not None and len(outputs.scores):
            assert outputs.scores[place].tobytes() == alone.scores[0].tobytes()
            assert outputs.terms[place].tobytes() == alone.terms[0].tobytes()
            assert len(outputs.state_before) == (len(parts) if signals else 0)


def test_outputs_that_are_written_again_make_the_same_signals() -> None:
    bars = samples.random_bars(8, 900)
    states, outputs = ENGINE.states([ENGINE.new_state()]), None
    for i in range(0, 900, 100):
        outputs = ENGINE.advance(states, samples.bars_between(bars, i, i + 100), [100], into=outputs)
        later = samples.run(samples.bars_between(bars, 0, i + 100))
        assert ENGINE.signals(outputs, [SERIES]) == ENGINE.signals(later, [SERIES])[-100:]


def test_of_outputs_without_the_states_before_no_signals_are_made() -> None:
    bars = samples.random_bars(8, 400)
    outputs = ENGINE.advance(ENGINE.states([ENGINE.new_state()]), bars, [400], signals=False)
    with pytest.raises(ValueError, match="without signals"):
        ENGINE.signals(outputs, [SERIES])


def test_a_fault_in_the_bars_moves_nothing() -> None:
    bars = samples.random_bars(8, 10)
    states = ENGINE.states([ENGINE.new_state()] * 2)
    bars.close[9] = np.nan
    with pytest.raises(ValueError, match="a price is missing"):
        ENGINE.advance(states, bars, [5, 5])
    assert states.tobytes() == 2 * ENGINE.new_state()


@settings(max_examples=30)
@given(seed=samples.seeds, end=st.integers(666, 799))
def test_no_look_ahead(seed: int, end: int) -> None:
    bars = samples.random_bars(seed, 800)
    then, later = samples.run(samples.bars_between(bars, 0, end)), samples.run(bars)
    assert samples.same_bytes(then, _rows(later, slice(0, end)))
    assert ENGINE.signals(then, [SERIES], [end - 1]) == ENGINE.signals(later, [SERIES], [end - 1])


def test_keeping_fewer_outputs_changes_nothing_else() -> None:
    bars = samples.trend_bars(1)
    whole, every = ENGINE.run(ENGINE.new_state(), bars)
    taken = int(np.flatnonzero(every.bar_states["flags"] & FIRST_DIP)[0])
    for end in (taken, taken + 1, len(bars.ts)):
        state, few = ENGINE.run(ENGINE.new_state(), samples.bars_between(bars, 0, end), 120)
        last = ENGINE.run(ENGINE.new_state(), samples.bars_between(bars, 0, end), 1)[0]
        assert ENGINE.signals(few, [SERIES]) == ENGINE.signals(_rows(every, slice(end - 120, end)), [SERIES])
        assert state == last == (whole if end == len(bars.ts) else every.state_before[end].tobytes())


def test_the_same_bar_never_steps_twice() -> None:
    bars = samples.random_bars(3, 400)
    state = ENGINE.run(ENGINE.new_state(), bars)[0]
    with pytest.raises(ValueError, match="newer than the one that its series took last"):
        ENGINE.run(state, samples.bars_between(bars, 399, 400))
    with pytest.raises(ValueError, match="newer"):
        ENGINE.run(ENGINE.new_state(), samples.concatenated(bars, samples.bars_between(bars, 10, 11)))


def test_two_series_may_have_bars_of_the_same_time() -> None:
    bars = samples.random_bars(3, 5)
    states, _ = ENGINE.run_many([ENGINE.new_state()] * 3, samples.concatenated(bars, bars), [5, 0, 5])
    assert states[0] == states[2] != states[1] == ENGINE.new_state()


_DIGEST = "from tests.engine.samples import digest; print(digest())"


@pytest.mark.slow
def test_other_processors_give_the_same_bytes(tmp_path: Path) -> None:
    """Also at another level of optimisation."""
    plain = {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", _DIGEST], env=os.environ | plain, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == samples.digest()


@pytest.mark.slow
def test_a_million_bars_take_seconds() -> None:
    n = 1_000_000
    bars = samples.random_bars(1, n, 0.0005)
    ENGINE.run(ENGINE.new_state(), samples.bars_between(bars, 0, 2))
    state, outputs = ENGINE.run(ENGINE.new_state(), bars, 1)
    assert outputs.bar_states["bar_count"].tolist() == [n]
    assert len(state) < 8192
    assert np.isfinite(outputs.indicators.view("f8")).all()


def _row(outputs: Outputs, i: int) -> Outputs:
    return _rows(outputs, slice(i, i + 1))


def _rows(outputs: Outputs, rows: slice) -> Outputs:
    bars = Bars._make(column[rows] for column in outputs.bars)
    return Outputs(bars, *(part[rows] for part in outputs[1:]))
