"""A and E of each row are shown, and below the table what the market and the portfolio make of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from strandline.cli.demo.decisions import decisions, market_in_words
from strandline.ledger.strands import append
from strandline.model.regime import MACRO, Phase
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.model.strand import StrandDraft, StrandKind
from strandline.pm.inputs import RegimeInputs
from tests.conftest import Database
from tests.pm.sample_inputs import decide, row
from tests.pm.sample_regime import driver, phase
from tests.store.rows import HASH, POSITION, T0, insert_all

T = datetime.fromisoformat(T0)
KNOWN = RegimeInputs(
    meso=phase(Phase.DIP),
    macro=phase(Phase.GOOD, MACRO),
    btc=driver((3, Flag.BUY_SIGNAL)),
    index=driver((1, Flag.EMERGENCY_EXIT)),
)


def words(regime: RegimeInputs, **special: Any) -> list[str]:
    evidence = decide(row(), regime=regime, **special).evidence
    return market_in_words({"terms": evidence.terms, "inputs": evidence.inputs})


def test_phases_and_drivers_with_what_they_give() -> None:
    assert words(KNOWN, losing_streak=5) == [
        "The market: 1h dip, 1d good, BTC buy 0.50, index emergency 0.83: A 0.08, E 1.02.",
        "The portfolio's cut pressure is 0.20: A × 0.93, E × 1.07.",
    ]


def test_what_is_not_known_is_said() -> None:
    assert words(RegimeInputs()) == [
        "The market: nothing is known of it: A 0.50, E 0.50.",
        "The portfolio's cut pressure is 0.00: A × 1.00, E × 1.00.",
        "Not known yet, and neutral: meso, macro, btc, index.",
    ]


def shown(database: Database, terms: Mapping[str, float], *scores: tuple[float, float]) -> tuple[list[list[str]], str]:
    """The rows and the caption of a cycle in which rows held with these scores."""
    held = [
        StrandDraft(
            strand_id=UUID(int=number), kind=StrandKind.HOLD, ts=T, cycle=T, position_id=UUID(POSITION),
            rule=Rule.HOLD, reasons=("nothing_to_do",), appetite=a, exit_urgency=e, terms=terms,
            inputs={"neutral_terms": "macro"}, code_version="test", strategy_hash=HASH,
        )
        for number, (a, e) in enumerate(scores)
    ]  # fmt: skip
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles")
        append(connection, "hyperliquid/perps", held)
        table = decisions(connection, T)
    columns = [list(column.cells) for column in table.columns]
    assert [str(column.header) for column in table.columns][4:6] == ["A", "E"]
    return [[str(cell) for cell in row] for row in zip(*columns, strict=True)], str(table.caption)


def test_each_row_shows_its_own(database: Database) -> None:
    rows, caption = shown(database, decide(row()).evidence.terms, (0.45, 0.5), (0.5, 0.625))
    assert [row[4:6] for row in rows] == [["0.45", "0.50"], ["0.50", "0.62"]]
    assert "Not known yet, and neutral: macro." in caption
