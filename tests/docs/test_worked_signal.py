"""docs/engine.md shows a signal as the engine makes it today, and computes its scores from its terms."""

import re
from pathlib import Path

import pytest

from tests.docs.worked_signal import evaluate, names, shown, worked_signal

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
SIGNAL = worked_signal()
SUMS = [
    tuple(" ".join(part.split()) for part in re.split(r"\n *= ", found, maxsplit=2))
    for block in re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    for found in re.split(r"\n(?=\w)", block)
]


def test_the_page_shows_the_signal_of_its_bar() -> None:
    assert re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL) == [shown(SIGNAL)]
    assert [flag.value for flag in SIGNAL.flags] == ["buy_flag"]


@pytest.mark.parametrize("computed", SUMS, ids=lambda parts: parts[0].partition(" ")[0])
def test_each_line_computes_what_the_payload_says(computed: tuple[str, str, str]) -> None:
    name, _, by_names = computed[0].partition(" = ")
    value = names(SIGNAL)[name]
    assert evaluate(by_names, names(SIGNAL)) == pytest.approx(value, abs=1e-9)
    assert evaluate(computed[1], {}) == pytest.approx(value, abs=3e-3)
    assert computed[2] == f"{value:.4f}"


def test_every_score_is_computed() -> None:
    shown_names = {computed[0].partition(" = ")[0] for computed in SUMS}
    assert shown_names >= set(SIGNAL.scores) - {"boost_ema60"}
    assert len(SUMS) == 17
