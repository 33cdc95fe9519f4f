"""`--once` ends well only if each venue filled an order."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from strandline.bars import roll_up
from strandline.cli.demo import session
from strandline.cli.demo.market import VENUES
from strandline.cli.demo.outcome import follow_until_filled, unfilled_venues
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.cycle.engine_step import run_engine
from strandline.cycle.observe import observe
from strandline.cycle.planning import plan_cycle
from strandline.cycle.venues import execute
from strandline.quality import check
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.cycle.trading_scenario import MOMENT, open_trading_scenario

NOTHING_DECIDED = "nothing was decided there"


def followed(*unfilled: Mapping[str, str], faults: list[str] | None = None) -> tuple[list[str], int, list[str]]:
    """What is wrong after cycles that left these venues unfilled, how many were followed, and what was reported."""
    reports: list[str] = []
    runs = iter(range(len(unfilled)))
    wrong = follow_until_filled(
        map(str, runs), lambda _: faults or [], lambda run_id: unfilled[int(run_id)], reports.append
    )
    return wrong, len(unfilled) - len(list(runs)), reports


def test_filled_on_every_venue_is_well() -> None:
    assert followed({}, {}) == ([], 1, [])


def test_an_unfilled_venue_is_wrong_and_named_with_its_reason() -> None:
    wrong, cycles, reports = followed({"solana": "skipped: price_drift"}, {})
    assert wrong == ["no order was filled on solana (skipped: price_drift)"]
    assert (cycles, reports) == (1, [])


def test_faults_of_the_cycle_stay() -> None:
    assert followed({"solana": "x"}, faults=["task t failed"])[0] == [
        "task t failed",
        "no order was filled on solana (x)",
    ]


def test_after_expired_entries_there_is_another_cycle() -> None:
    wrong, cycles, reports = followed({"solana": "price_drift, expired"}, {}, {})
    assert (wrong, cycles) == ([], 2)
    assert "too slow" in reports[0]


def test_but_not_for_ever() -> None:
    expired = {"hyperliquid": "expired"}
    wrong, cycles, reports = followed(expired, expired, expired, {})
    assert wrong == ["no order was filled on hyperliquid (expired)"]
    assert (cycles, len(reports)) == (3, 2)


@pytest.mark.parametrize(("faults", "code"), [([], 0), (["no order was filled on solana (expired)"], 1)])
def test_the_command_ends_with_the_reason(
    faults: list[str], code: int, monkeypatch: pytest.MonkeyPatch, strandline: Command
) -> None:
    class Ended:
        report = staticmethod(print)

        def first_cycle(self) -> list[str]:
            return faults

    @contextmanager
    def ended() -> Iterator[Ended]:
        yield Ended()

    monkeypatch.setattr(session, "demo_session", ended)
    result = strandline("demo", "--once")
    assert result.code == code
    assert all(fault in result.out for fault in faults)


@pytest.mark.slow
def test_what_was_filled_is_read_from_the_fills(database: Database) -> None:
    later = MOMENT + CYCLE_LENGTH
    with open_trading_scenario(database) as scenario, database.admin.connect() as connection:
        assert unfilled_venues(connection, MOMENT, VENUES) == dict.fromkeys(VENUES, NOTHING_DECIDED)
        scenario.cycle(MOMENT)
        assert unfilled_venues(connection, MOMENT, VENUES) == {"hyperliquid": NOTHING_DECIDED}
        run = scenario.run(later)
        scenario.clock.set_forward(later + timedelta(seconds=3))
        scenario.feed(later)
        observe(scenario.context, run)
        roll_up(scenario.context.database, later)
        check(scenario.context.database, scenario.context.strategy, later, scenario.now())
        run_engine(scenario.context.database, scenario.context.strategy, later)
        plan_cycle(scenario.context, run)
        scenario.clock.set_forward(later + CYCLE_LENGTH + timedelta(seconds=3))
        execute(scenario.context, run, HYPERLIQUID_PERPS.slug)
        assert unfilled_venues(connection, later, VENUES)["hyperliquid"] == "expired"
