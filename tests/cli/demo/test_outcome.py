"""`--once` ends well only if each venue filled an order."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

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
from strandline.ledger.strands import append
from strandline.model.exact import Money, Quantity
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.model.strand import StrandDraft, StrandKind
from strandline.quality import check, check_signals
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.cycle.trading_scenario import MOMENT, open_trading_scenario
from tests.store.rows import HASH, T0, insert, insert_all

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


def test_at_most_two_further_cycles_are_followed() -> None:
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
        check_signals(scenario.context.database, scenario.context.strategy, later, scenario.now())
        plan_cycle(scenario.context, run)
        scenario.clock.set_forward(later + CYCLE_LENGTH + timedelta(seconds=3))
        execute(scenario.context, run, HYPERLIQUID_PERPS.slug)
        assert unfilled_venues(connection, later, VENUES)["hyperliquid"] == "expired"


T = datetime.fromisoformat(T0)
LATER = T + CYCLE_LENGTH


def test_an_order_without_a_fill_fills_nothing(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles", "intents", "venue_accounts", "orders")
        assert "hyperliquid" in unfilled_venues(connection, T, VENUES)
        insert(connection, "fills")
        assert "hyperliquid" not in unfilled_venues(connection, T, VENUES)


def test_what_another_cycle_filled_does_not_count(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles", "intents", "venue_accounts", "orders", "fills")
        insert(connection, "cycles", cycle_t=LATER)
        assert "hyperliquid" in unfilled_venues(connection, LATER, VENUES)


def test_the_reason_is_what_became_of_this_cycles_orders(database: Database) -> None:
    rejected = ExecutionResult(
        order_id=UUID(int=1), status=OrderStatus.REJECTED, venue_order_id=None, fills=(), filled=Quantity(0),
        average_price=None, slippage_bps=None, fees=Money(0), error="no margin", seen_at=LATER,
    )  # fmt: skip
    common: dict[str, Any] = {"kind": StrandKind.DECISION, "ts": LATER, "code_version": "test", "strategy_hash": HASH}
    strands = [
        StrandDraft(strand_id=UUID(int=1), cycle=T, skip_reason="gas_low", **common),
        StrandDraft(strand_id=UUID(int=2), cycle=LATER, result=rejected, **common),
        StrandDraft(strand_id=UUID(int=3), cycle=LATER, **common),
    ]
    with database.session() as connection:
        append(connection, "hyperliquid/perps", strands)
        assert unfilled_venues(connection, LATER, ["hyperliquid"]) == {"hyperliquid": "open, rejected"}
