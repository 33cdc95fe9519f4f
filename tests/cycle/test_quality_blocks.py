"""What the gate blocks in a plan: entries and trims of what is faulty, and never an exit."""

import json
from datetime import timedelta

import pytest

from strandline.model.canonical import canonical_bytes
from strandline.model.signal import Flag
from tests.cycle.planning_database import BAR, SUITES, PlanningDatabase, T

LENGTH = timedelta(minutes=15)


def blocked_by(planning: PlanningDatabase) -> list[str]:
    """The reasons of the row's decision."""
    (reasons,) = planning.rows(
        "SELECT body::jsonb ->> 'reasons' FROM strands WHERE kind = 'hold' ORDER BY seq DESC LIMIT 1"
    )
    return list(json.loads(reasons[0]))


def lose(planning: PlanningDatabase) -> None:
    """Let the row hold what it bought far above the price."""
    planning.add_holding(average_entry=200, invested=2000)


def exits(planning: PlanningDatabase) -> list[str]:
    """The rules of the intents that were planned."""
    planning.plan()
    return [row.rule for row in planning.rows("SELECT rule FROM intents WHERE side = 'sell'")]


def test_without_findings_the_signal_is_bought(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.plan()
    assert [row.rule for row in planning.rows("SELECT rule FROM intents")] == ["first_buy"]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("ran", [True, False])
def test_a_suite_that_failed_or_did_not_run_blocks_entries_and_no_exit(
    planning: PlanningDatabase, suite: str, ran: bool
) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    if ran:
        planning.add("quality_runs", cycle_t=T, suite=suite, succeeded=False, error="why")
    else:
        planning.change("ALTER TABLE quality_runs DISABLE TRIGGER append_only")
        planning.change("DELETE FROM quality_runs WHERE suite = :suite", suite=suite)
    assert planning.read().block_all_entries == ((f"check_failed:{suite}" if ran else f"not_checked:{suite}"),)
    planning.plan()
    assert planning.rows("SELECT FROM intents") == []
    assert (f"check_failed:{suite}" if ran else f"not_checked:{suite}") in blocked_by(planning)


@pytest.mark.parametrize("suite", SUITES)
def test_exits_are_planned_whatever_failed(planning: PlanningDatabase, suite: str) -> None:
    planning.add("quality_runs", cycle_t=T, suite=suite, succeeded=False, error="why")
    lose(planning)
    assert exits(planning) == ["stop"]


def test_a_faulty_signal_blocks_its_row_and_no_exit(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.add_finding("block_all", "signals", instrument_id=1, timeframe="15m", ts=BAR, check_name="faulty")
    assert planning.read_row().block_all == ("faulty",)
    lose(planning)
    assert exits(planning) == ["stop"]


def test_a_faulty_signal_is_not_bought(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    planning.add_finding("block_all", "signals", instrument_id=1, timeframe="15m", ts=BAR, check_name="faulty")
    planning.plan()
    assert planning.rows("SELECT FROM intents") == []
    assert "block_all:faulty" in blocked_by(planning)


def test_a_signal_that_cannot_be_read_blocks_its_row_alone_and_no_exit(planning: PlanningDatabase) -> None:
    older = planning.add_signal(bar_ts=BAR - LENGTH)
    broken = json.loads(canonical_bytes(older)) | {"bar_ts": BAR.isoformat()}
    broken["indicators"]["atr"] = None
    planning.add("features", timeframe="15m", ts=BAR, uptrend_engine_v4=json.dumps(broken))
    row = planning.read_row()
    assert (row.newest, row.block_all) == (None, ("unreadable_signal",))
    lose(planning)
    assert exits(planning) == ["stop"]
