"""Compiled once: the machine code is kept, found again, and not taken for that of other sources."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from strandline.engine import compiled, levels, step, warm_up
from tests.engine import things

_NEXT_PROCESS = """
from strandline.engine import step, warm_up
from tests.engine.things import STRATEGY
warm_up(STRATEGY)
print(sum(step.advance.stats.cache_hits.values()), sum(step.advance.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_the_next_process_does_not_compile() -> None:
    warm_up(things.STRATEGY)
    done = subprocess.run([sys.executable, "-c", _NEXT_PROCESS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1 0\n"


def test_the_key_of_the_cache_covers_every_part() -> None:
    """Numba's key holds what the entry point closes over."""
    inside = [cell.cell_contents for cell in step.advance.py_func.__closure__]  # type: ignore[attr-defined]
    assert compiled.fingerprint() in inside


@pytest.mark.parametrize(
    "changed",
    [
        lambda x: x + 2.0,
        lambda x: x - 1.0,
        lambda x: x + _MORE,
        lambda x: x + things.MINUTE,
    ],
)
def test_any_change_of_a_part_shows(monkeypatch: pytest.MonkeyPatch, changed: Callable[..., Any]) -> None:
    def told(part: Callable[..., Any]) -> str:
        monkeypatch.setattr(compiled, "_PARTS", [part])
        return compiled.fingerprint()

    assert told(lambda x: x + 1.0) != told(changed)


def test_a_changed_constant_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.fingerprint()
    monkeypatch.setattr(levels, "LN2", 0.7)
    assert compiled.fingerprint() != before


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return "compiled"

    monkeypatch.setattr(compiled, "njit", refuse)
    assert compiled.entry(len) == "compiled"  # type: ignore[comparison-overlap]


def test_one_entry_point_serves_all() -> None:
    bars = things.random_bars(1, 10)
    things.run(bars)
    things.ENGINE.run_many([things.ENGINE.fresh()] * 2, bars, [4, 6], 2)
    twice = things.random_bars(1, 20)
    things.run(bars._replace(close=np.repeat(bars.close, 2)[::2], revision=twice.revision[::2].astype("i4")))
    assert len(step.advance.signatures) == 1  # type: ignore[attr-defined]


_MORE = 1.5
