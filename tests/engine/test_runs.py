"""The same bars give the same bytes: all at once or one by one, one series or many, on every processor."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engine import Bars, Outputs, Series
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


@settings(max_examples=30)
@given(seed=samples.seeds, end=st.integers(666, 799))
def test_no_look_ahead(seed: int, end: int) -> None:
    bars = samples.random_bars(seed, 800)
    then, later = samples.run(samples.bars_between(bars, 0, end)), samples.run(bars)
    assert samples.same_bytes(then, _rows(later, slice(0, end)))
    assert ENGINE.signals(then, [SERIES], [end - 1]) == ENGINE.signals(later, [SERIES], [end - 1])


def test_keeping_fewer_outputs_changes_nothing_else() -> None:
    bars = samples.trend_bars(1)
    every = samples.run(bars)
    state, few = ENGINE.run(ENGINE.new_state(), bars, 120)
    assert samples.same_bytes(few, _rows(every, slice(-120, None)))
    assert state == ENGINE.run(ENGINE.new_state(), bars)[0]


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
