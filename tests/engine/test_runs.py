"""One step serves all: however the bars come, together or one by one, alone or with others, the bytes are the same."""

import hashlib
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
from tests.engine import things
from tests.engine.things import ENGINE

SERIES = Series(7, Timeframe.M1, 1)


@settings(max_examples=30)
@given(seed=things.seeds, cut=st.integers(0, 800))
def test_split_anywhere(seed: int, cut: int) -> None:
    bars = things.random_bars(seed, 800)
    memory, whole = ENGINE.run(ENGINE.fresh(), bars)
    between, first = ENGINE.run(ENGINE.fresh(), things.part_of(bars, 0, cut))
    end, second = ENGINE.run(between, things.part_of(bars, cut, 800))
    assert end == memory
    assert things.same(things.joined_outputs(first, second), whole)


def test_one_bar_at_a_time() -> None:
    bars = things.random_bars(1, 700)
    memory, whole = ENGINE.fresh(), ENGINE.run(ENGINE.fresh(), bars)[1]
    for i in range(700):
        memory, now = ENGINE.run(memory, things.part_of(bars, i, i + 1))
        assert things.same(now, _row(whole, i))


@settings(max_examples=20)
@given(counts=st.lists(st.integers(0, 400), min_size=1, max_size=6), newest=st.integers(1, 50))
def test_many_at_once(counts: list[int], newest: int) -> None:
    parts = [things.random_bars(seed, count) for seed, count in enumerate(counts)]
    memories, outputs = ENGINE.run_many([ENGINE.fresh()] * len(counts), things.joined(*parts), counts, newest)
    start = 0
    for seed, part in enumerate(parts):
        memory, alone = ENGINE.run(ENGINE.fresh(), part, newest)
        rows = slice(start, start + len(alone.heads))
        start += len(alone.heads)
        assert memories[seed] == memory
        assert len(alone.heads) == min(newest, counts[seed])
        assert outputs.scores[rows].tobytes() == alone.scores.tobytes()
        assert outputs.levels[rows].tobytes() == alone.levels.tobytes()
        assert set(outputs.heads[rows]["series"]) <= {seed}
    assert start == len(outputs.heads)


@settings(max_examples=30)
@given(seed=things.seeds, end=st.integers(666, 799))
def test_no_look_ahead(seed: int, end: int) -> None:
    bars = things.random_bars(seed, 800)
    then, later = things.run(things.part_of(bars, 0, end)), things.run(bars)
    assert things.same(then, _rows(later, slice(0, end)))
    assert ENGINE.signals(then, [SERIES], [end - 1]) == ENGINE.signals(later, [SERIES], [end - 1])


def test_keeping_fewer_outputs_changes_none() -> None:
    bars = things.trend_bars(1)
    every = things.run(bars)
    memory, few = ENGINE.run(ENGINE.fresh(), bars, 120)
    assert things.same(few, _rows(every, slice(-120, None)))
    assert memory == ENGINE.run(ENGINE.fresh(), bars)[0]


def test_the_same_bar_never_steps_twice() -> None:
    bars = things.random_bars(3, 400)
    memory = ENGINE.run(ENGINE.fresh(), bars)[0]
    with pytest.raises(ValueError, match="newer than the one that its series took last"):
        ENGINE.run(memory, things.part_of(bars, 399, 400))
    with pytest.raises(ValueError, match="newer"):
        ENGINE.run(ENGINE.fresh(), things.joined(bars, things.part_of(bars, 10, 11)))


def test_two_series_may_have_bars_of_the_same_time() -> None:
    bars = things.random_bars(3, 5)
    memories, _ = ENGINE.run_many([ENGINE.fresh()] * 3, things.joined(bars, bars), [5, 0, 5])
    assert memories[0] == memories[2] != memories[1] == ENGINE.fresh()


_DIGEST = "from tests.engine.test_runs import digest; print(digest())"


def digest() -> str:
    """Over a memory and all that was said on the way to it."""
    memory, outputs = ENGINE.run(ENGINE.fresh(), things.random_bars(5, 1500))
    return hashlib.sha256(memory + b"".join(part.tobytes() for part in outputs[1:])).hexdigest()


@pytest.mark.slow
def test_other_processors_give_the_same_bytes(tmp_path: Path) -> None:
    """Nor does it matter how well the compiler optimises."""
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
    assert done.stdout.strip() == digest()


@pytest.mark.slow
def test_a_million_bars_take_seconds() -> None:
    n = 1_000_000
    bars = things.random_bars(1, n, 0.0005)
    ENGINE.run(ENGINE.fresh(), things.part_of(bars, 0, 2))
    memory, outputs = ENGINE.run(ENGINE.fresh(), bars, 1)
    assert outputs.heads["bar_count"].tolist() == [n]
    assert len(memory) < 8192
    assert np.isfinite(outputs.indicators.view("f8")).all()


def _row(outputs: Outputs, i: int) -> Outputs:
    return _rows(outputs, slice(i, i + 1))


def _rows(outputs: Outputs, rows: slice) -> Outputs:
    bars = Bars._make(column[rows] for column in outputs.bars)
    return Outputs(bars, *(part[rows] for part in outputs[1:]))
