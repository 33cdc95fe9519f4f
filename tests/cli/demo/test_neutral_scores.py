"""A and E are shown where something that is known moves them."""

from typing import Any

import pytest

from strandline.cli.demo.decisions import is_neutral

UNKNOWN = {"meso_a": 0.5, "meso_e": 0.5, "macro_a": 1.0, "macro_e": 1.0}


def strand(a: float, e: float, neutral_terms: str) -> dict[str, Any]:
    return {"appetite": a, "exit_urgency": e, "terms": UNKNOWN, "inputs": {"neutral_terms": neutral_terms}}


@pytest.mark.parametrize(
    ("told", "neutral"),
    [
        (strand(0.5, 0.5, "meso macro drivers"), True),
        (strand(0.5, 0.5, "meso macro drivers drawdown"), True),
        (strand(0.45, 0.5, "meso macro drivers"), False),
        (strand(0.5, 0.55, "meso macro drivers"), False),
        (strand(0.5, 0.5, ""), False),
        (strand(0.5, 0.5, "macro"), False),
    ],
)
def test_neutral_is_what_nothing_known_moves(told: dict[str, Any], neutral: bool) -> None:
    assert is_neutral(told) is neutral
