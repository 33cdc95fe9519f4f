"""A and E are shown where something that is known moves them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from strandline.cli.demo.decisions import decisions, is_neutral
from strandline.ledger.strands import append
from strandline.model.rule import Rule
from strandline.model.strand import StrandDraft, StrandKind
from tests.conftest import Database
from tests.store.rows import HASH, POSITION, T0, insert_all

T = datetime.fromisoformat(T0)

UNKNOWN = {"meso_a": 0.5, "meso_e": 0.5, "macro_a": 1.0, "macro_e": 1.0}


def strand(a: float, e: float, neutral_terms: str) -> dict[str, Any]:
    return {"appetite": a, "exit_urgency": e, "terms": UNKNOWN, "inputs": {"neutral_terms": neutral_terms}}


@pytest.mark.parametrize(
    ("body", "neutral"),
    [
        (strand(0.5, 0.5, "meso macro drivers"), True),
        (strand(0.5, 0.5, "meso macro drivers drawdown"), True),
        (strand(0.45, 0.5, "meso macro drivers"), False),
        (strand(0.5, 0.55, "meso macro drivers"), False),
        (strand(0.5, 0.5, ""), False),
        (strand(0.5, 0.5, "macro"), False),
        (strand(0.5, 0.5, "meso"), False),
    ],
)
def test_neutral_is_what_nothing_known_moves(body: dict[str, Any], neutral: bool) -> None:
    assert is_neutral(body) is neutral


def shown(database: Database, *appetites: float) -> tuple[list[str], list[list[str]], str]:
    """The headings, the rows and the caption of a cycle in which rows held with these appetites."""
    held = [
        StrandDraft(
            strand_id=UUID(int=number), kind=StrandKind.HOLD, ts=T, cycle=T, position_id=UUID(POSITION),
            rule=Rule.HOLD, reasons=("nothing_to_do",), appetite=appetite, exit_urgency=0.5, terms=UNKNOWN,
            inputs={"neutral_terms": "meso macro"}, code_version="test", strategy_hash=HASH,
        )
        for number, appetite in enumerate(appetites)
    ]  # fmt: skip
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles")
        append(connection, "hyperliquid/perps", held)
        table = decisions(connection, T)
    columns = [list(column.cells) for column in table.columns]
    headings = [str(column.header) for column in table.columns]
    return headings, [[str(cell) for cell in row] for row in zip(*columns, strict=True)], str(table.caption)


def test_columns_in_which_everything_is_neutral_are_left_out_and_said(database: Database) -> None:
    headings, _, caption = shown(database, 0.5, 0.5)
    assert headings == ["venue", "token", "decision", "why", "outcome"]
    assert "A and E are neutral for every row" in caption


def test_a_neutral_row_among_others_shows_no_score(database: Database) -> None:
    headings, rows, caption = shown(database, 0.45, 0.5)
    assert headings[4:6] == ["A", "E"]
    assert [row[4:6] for row in rows] == [["0.45", "0.50"], ["", ""]]
    assert "neutral" not in caption
