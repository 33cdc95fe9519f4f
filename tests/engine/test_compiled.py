"""The compiled step is cached on disk, loaded again, and compiled anew when any of its functions changes."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from strandline.engine import compilation, levels, step, warm_up
from tests.engine import samples

_NEXT_PROCESS = """
from strandline.engine import step, warm_up
from tests.engine.samples import STRATEGY
warm_up(STRATEGY)
print(sum(step.advance.stats.cache_hits.values()), sum(step.advance.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_the_next_process_does_not_compile() -> None:
    warm_up(samples.STRATEGY)
    done = subprocess.run([sys.executable, "-c", _NEXT_PROCESS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1 0\n"


def test_the_cache_key_covers_every_compiled_function() -> None:
    """Numba's cache key includes the values in the closure of the entry point."""
    closure = [cell.cell_contents for cell in step.advance.py_func.__closure__]  # type: ignore[attr-defined]
    assert compilation.fingerprint() in closure


@pytest.mark.parametrize(
    "changed",
    [
        lambda x: x + 2.0,
        lambda x: x - 1.0,
        lambda x: x + _MORE,
        lambda x: x + samples.MINUTE,
    ],
)
def test_any_change_of_a_function_changes_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, changed: Callable[..., Any]
) -> None:
    def fingerprint_of(function: Callable[..., Any]) -> str:
        monkeypatch.setattr(compilation, "_FUNCTIONS", [function])
        return compilation.fingerprint()

    assert fingerprint_of(lambda x: x + 1.0) != fingerprint_of(changed)


def test_a_changed_constant_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compilation.fingerprint()
    monkeypatch.setattr(levels, "LN2", 0.7)
    assert compilation.fingerprint() != before


def test_without_a_cache_directory_it_is_compiled_in_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return "compiled"

    monkeypatch.setattr(compilation, "njit", refuse)
    assert compilation.entry_point(len) == "compiled"  # type: ignore[comparison-overlap]


def test_one_entry_point_serves_all() -> None:
    """All series of a strategy: other windows make states of another type."""
    bars = samples.random_bars(1, 10)
    samples.run(bars)
    compiled = len(step.advance.signatures)  # type: ignore[attr-defined]
    samples.ENGINE.run_many([samples.ENGINE.new_state()] * 2, bars, [4, 6], [2, 2])
    twice = samples.random_bars(1, 20)
    samples.run(bars._replace(close=np.repeat(bars.close, 2)[::2], revision=twice.revision[::2].astype("i4")))
    assert len(step.advance.signatures) == compiled  # type: ignore[attr-defined]


_MORE = 1.5
