"""docs/engine.md shows a signal as the engine makes it today, and computes its scores from its terms."""

import re
from pathlib import Path

import pytest

from tests.docs.arithmetic import Computed, computed_on, evaluate
from tests.docs.worked_signal import names, shown, worked_signal

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"
SIGNAL = worked_signal()
COMPUTED = computed_on(PAGE)


def test_the_page_shows_the_signal_of_its_bar() -> None:
    assert re.findall(r"```json\n(.*?)\n```", PAGE.read_text(), re.DOTALL) == [shown(SIGNAL)]
    assert [flag.value for flag in SIGNAL.flags] == ["buy_flag"]


@pytest.mark.parametrize("line", COMPUTED, ids=lambda line: line.name)
def test_each_line_computes_what_the_payload_says(line: Computed) -> None:
    value = names(SIGNAL)[line.name]
    assert evaluate(line.by_names, names(SIGNAL)) == pytest.approx(value, abs=1e-9)
    assert evaluate(line.by_numbers, {}) == pytest.approx(value, abs=3e-3)
    assert line.value == f"{value:.4f}"


def test_every_score_is_computed() -> None:
    assert {line.name for line in COMPUTED} >= set(SIGNAL.scores) - {"boost_ema60"}
    assert len(COMPUTED) == 17
