"""The limits of the checks, to the bar and microsecond, and the start of a cycle's window."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, text

from strandline.quality import check
from strandline.quality.window import window_of
from tests.quality.samples import (
    ENTRIES,
    FAULTY,
    MINUTE,
    STRATEGY,
    Finding,
    T,
    finding_details,
    findings,
    revise_bar,
    run_checks,
)

pytestmark = pytest.mark.slow
LAST = T - MINUTE
BARS = 700


@pytest.mark.parametrize(("needed", "expected"), [(BARS, set()), (BARS + 1, {1, 2, 3})])
def test_history_is_short_with_one_bar_too_few(
    engine: Engine, admin: Connection, needed: int, expected: set[int]
) -> None:
    strategy = replace(STRATEGY, history=replace(STRATEGY.history, bars_for_flags=needed))
    check(engine, strategy, T, T + timedelta(seconds=8))
    assert {finding.instrument_id for finding in findings(admin)} == expected
    assert {finding.check_name for finding in findings(admin)} == ({"short_history"} if expected else set())


@pytest.mark.parametrize(("stale_after", "stale"), [("48 seconds", False), ("47.999999 seconds", True)])
def test_a_tick_is_stale_once_it_is_older_than_the_limit(
    engine: Engine, admin: Connection, stale_after: str, stale: bool
) -> None:
    """The newest tick is 48 seconds old when the cycle is checked."""
    admin.execute(text("UPDATE instruments SET stale_after = CAST(:limit AS interval)"), {"limit": stale_after})
    admin.commit()
    run_checks(engine)
    assert {finding.check_name for finding in findings(admin)} == ({"stale_ticks"} if stale else set())


@pytest.mark.parametrize(("high", "low"), [(160.0, 102.0), (102.0, 45.0)])
def test_a_candle_confirms_a_jump_by_its_high_and_its_low(
    engine: Engine, admin: Connection, high: float, low: float
) -> None:
    """The venue's candle has one of the two extremes of the bar only."""
    admin.execute(
        text("UPDATE venue_candles SET high = :high, low = :low WHERE instrument_id = 2 AND ts = :last"),
        {"last": LAST, "high": high, "low": low},
    )
    revise_bar(admin, high=160.0, low=45.0)
    run_checks(engine)
    assert Finding(FAULTY, "1m", "unconfirmed_jump", ENTRIES) in findings(admin)
    ((_, _, ts, values),) = finding_details(admin, "unconfirmed_jump")
    assert (ts, values["high"], values["low"]) == (LAST, 160, 45)


def test_the_window_begins_at_the_last_check_that_succeeded(engine: Engine, admin: Connection) -> None:
    """Plus a minute of ticks, which may have been late, and the bars whose flags may still be acted on."""
    runs = [(T - 3 * MINUTE, True), (T - 2 * MINUTE, False), (T, True), (T + MINUTE, True)]
    for suite, later in (("ticks", 0), ("bars", 1)):
        for cycle, succeeded in runs:
            admin.execute(
                text("""
                    INSERT INTO quality_runs (cycle_t, suite, ran_at, succeeded, error, statistics)
                    VALUES (:cycle, :suite, :cycle, :succeeded, :error, '{}')
                """),
                {
                    "cycle": cycle - later * 10 * MINUTE,
                    "suite": suite,
                    "succeeded": succeeded,
                    "error": None if succeeded else "it broke",
                },
            )
    admin.commit()
    with engine.connect() as connection:
        window = window_of(connection, STRATEGY, T, T)
    assert window.ticks_from == T - 3 * MINUTE - MINUTE
    assert window.bars_after == T + MINUTE - 10 * MINUTE - timedelta(seconds=STRATEGY.entries.flag_life_seconds)
