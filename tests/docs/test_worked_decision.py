"""docs/portfolio-manager.md shows a decision as the planner makes it today, and computes A, E and the size from it."""

import re
from pathlib import Path

import pytest

from tests.docs.arithmetic import Computed, computed_on, evaluate
from tests.docs.worked_decision import names, shown, worked_decision

PAGE = Path(__file__).parents[2] / "docs" / "portfolio-manager.md"
DECISION = worked_decision()
COMPUTED = computed_on(PAGE)


def test_the_page_shows_the_decision() -> None:
    assert re.findall(r"```json\n(.*?)\n```", PAGE.read_text(), re.DOTALL) == [shown(DECISION)]


@pytest.mark.parametrize("line", COMPUTED, ids=lambda line: line.name)
def test_each_line_computes_what_the_strand_keeps(line: Computed) -> None:
    """The notional is cut to cents."""
    value = names(DECISION)[line.name]
    assert evaluate(line.by_names, names(DECISION)) == pytest.approx(
        value, abs=1e-8 if line.name != "notional" else 0.01
    )
    assert evaluate(line.by_numbers, {}) == pytest.approx(value, rel=2e-3)
    assert line.value == f"{value:.4f}"


def test_both_scores_and_the_size_are_computed() -> None:
    assert [line.name for line in COMPUTED][-4:] == ["A", "E", "size_frac", "notional"]
