"""What the driver does with each kind of response."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from strandline.execution import VenueRun, accounts
from strandline.execution.accounts import account_lock, next_nonce
from strandline.execution.booking import book
from strandline.execution.intents import advance, claim, read_open
from strandline.execution.orders import unresolved
from strandline.ledger.account import Account
from strandline.model.evidence import Evidence
from strandline.model.exact import Quantity
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.model.rule import Rule
from strandline.model.strand import StrandKind
from tests.execution.execution_bench import CODE, ExecutionBench, Killed
from tests.execution.scripted_venue import ADDRESS, Behaviour, ScriptedExecutor, always, first, result
from tests.store.concurrency import at_once


def test_an_entry_becomes_a_holding_and_a_strand_with_all_its_evidence(bench: ExecutionBench) -> None:
    evidence = Evidence(
        appetite=0.6,
        exit_urgency=0.25,
        rules_not_fired={"stop": "flat"},
        terms={"meso": 0.1},
        inputs={"attempt_id": "2026-03-02T08:00:00Z"},
    )
    intent_id = bench.plan(0, notional=200, evidence=msgspec.json.encode(evidence).decode())
    assert bench.run() == VenueRun(filled=1)
    assert bench.status(intent_id) == ("done", None)
    assert bench.held(0) == 2
    (strand,) = bench.strands()
    assert strand.kind is StrandKind.DECISION
    assert (strand.appetite, strand.exit_urgency) == (0.6, 0.25)
    assert (strand.rules_not_fired, strand.terms, strand.inputs) == (
        evidence.rules_not_fired,
        evidence.terms,
        evidence.inputs,
    )
    assert strand.intent is not None
    assert strand.plan is not None
    assert strand.result is not None
    assert (strand.intent.intent_id, strand.plan.intent_id) == (intent_id, intent_id)
    assert (strand.result.status, strand.executed_at) == (OrderStatus.FILLED, strand.result.seen_at)
    assert (strand.cycle, strand.token_contract, strand.symbol) == (strand.intent.cycle, "BTC", "BTC-USD")
    assert (strand.rule, strand.state) == (Rule.FIRST_BUY, strand.intent.state)
    bench.check_settled()


def test_the_strand_of_the_sell_that_closes_a_trade_has_its_profit(bench: ExecutionBench) -> None:
    bench.plan(0, notional=200)
    bench.run()
    bench.venue.price = Decimal(110)
    bench.plan_exit(0)
    bench.run()
    trade = bench.query("SELECT * FROM trades")[0]
    pnl = bench.strands()[-1].pnl
    assert pnl is not None
    assert pnl.decimal == trade.net_pnl == 20 - trade.fees
    assert (trade.close_reason, trade.trade_no) == ("stop", 1)


def test_a_skip_is_final_and_its_strand_says_why(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    assert bench.run(ScriptedExecutor(bench.venue, prepares=first(Behaviour.SKIPS))) == VenueRun(skipped=1)
    assert bench.status(intent_id) == ("skipped", "market_closed")
    (strand,) = bench.strands()
    assert (strand.skip_reason, strand.result, strand.executed_at) == ("market_closed: until Monday", None, None)
    bench.check_settled()


def test_exits_go_first(bench: ExecutionBench) -> None:
    bench.plan(1)
    bench.run()
    bench.clock.move(seconds=1)
    bench.plan(0)
    bench.clock.move(seconds=1)
    bench.plan_exit(1)
    executor = ScriptedExecutor(bench.venue, executes=first(Behaviour.FILLS, Behaviour.NO_MATCH))
    assert bench.run(executor) == VenueRun(filled=1, failed=1)
    assert bench.held(0) == 0
    assert bench.held(1) == 0


def test_after_the_deadline_no_intent_is_started_but_orders_in_doubt_are_recovered(bench: ExecutionBench) -> None:
    bench.plan(0)
    assert bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.LOSES_RESPONSE))) == VenueRun(unknown=1)
    intent_id = bench.plan(1)
    assert bench.run(seconds=0) == VenueRun(recovered=1, left=1)
    assert bench.status(intent_id) == ("planned", None)
    assert bench.held(0) == 1


def test_a_later_result_is_a_child_of_the_decision(bench: ExecutionBench) -> None:
    bench.plan(0)
    cycle = bench.clock()
    bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.REPORTS_PART)))
    assert bench.held(0) == Decimal("0.95")
    bench.clock.move(minutes=5)
    bench.run(ScriptedExecutor(bench.venue, recovers=first(Behaviour.STILL_UNKNOWN)))
    assert len(bench.strands()) == 1
    bench.clock.move(minutes=5)
    bench.run()
    decision, outcome = bench.strands()
    assert decision.result is not None
    assert outcome.result is not None
    assert (decision.result.status, outcome.result.status) == (OrderStatus.UNKNOWN, OrderStatus.FILLED)
    assert (outcome.kind, outcome.parent, outcome.cycle) == (StrandKind.OUTCOME, decision.strand_id, cycle)
    bench.check_settled()


def test_when_the_venue_is_down_an_entry_is_skipped_and_an_exit_is_tried_again(bench: ExecutionBench) -> None:
    bench.plan(0)
    bench.run()
    bench.clock.move(seconds=1)
    entry, exit_id = bench.plan(2), bench.plan_exit(0)
    assert bench.run(ScriptedExecutor(bench.venue, prepares=always(Behaviour.IS_DOWN))) == VenueRun(
        skipped=1, postponed=1
    )
    assert bench.status(entry) == ("skipped", "venue_unreachable")
    assert bench.strands()[-1].skip_reason == "venue_unreachable: CutConnectionError"
    assert bench.status(exit_id) == ("preparing", None)
    assert bench.run() == VenueRun(filled=1)
    assert bench.held(0) == 0
    bench.check_settled()


def test_an_intent_that_is_not_sent_in_time_expires(bench: ExecutionBench) -> None:
    entry = bench.plan(0)
    bench.plan(1)
    with pytest.raises(Killed):
        bench.run(checkpoint=_die_at("claimed"))
    assert sorted(row.status for row in bench.query("SELECT status FROM intents")) == ["planned", "preparing"]
    bench.clock.move(seconds=300)
    assert bench.run() == VenueRun(expired=2)
    assert bench.status(entry) == ("skipped", "expired")
    assert bench.venue.accepted == {}
    bench.check_settled()


def test_an_intent_that_expires_while_it_is_prepared_is_not_sent(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)

    def wait(point: str) -> None:
        if point == "prepared":
            bench.clock.move(seconds=300)

    assert bench.run(checkpoint=wait, seconds=1000) == VenueRun(skipped=1)
    assert bench.status(intent_id) == ("skipped", "expired")
    assert bench.venue.accepted == {}


class DifferentPlan(ScriptedExecutor):
    """Makes a plan that differs from its intent."""

    differs: dict[str, Any]

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Return the plan with the differences."""
        return msgspec.structs.replace(super().prepare(intent, position, attempt), **self.differs)


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"quantity": Quantity("1.001")}, "exceeds_holding"),
        ({"token_contract": "ETH"}, "plan_differs"),
        ({"intent_id": "other"}, "plan_differs"),
    ],
)
def test_a_plan_that_differs_from_its_intent_never_becomes_an_order(
    bench: ExecutionBench, differs: dict[str, Any], reason: str
) -> None:
    other = bench.plan(0)
    bench.run()
    exit_id = bench.plan_exit(0)
    executor = DifferentPlan(bench.venue)
    executor.differs = {name: other if value == "other" else value for name, value in differs.items()}
    assert bench.run(executor) == VenueRun(skipped=1)
    assert bench.status(exit_id) == ("skipped", reason)
    assert bench.held(0) == 1


class TransactionCounter(ScriptedExecutor):
    """Counts the open transactions at each request to the venue."""

    bench: ExecutionBench
    open_transactions = 0

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Count, then do as the base class."""
        self.count()
        return super().prepare(intent, position, attempt)

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Count, then do as the base class."""
        self.count()
        return super().execute(order)

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Count, then do as the base class."""
        self.count()
        return super().recover(order)

    def count(self) -> None:
        """Add the number of our transactions that are open now."""
        query = """
        SELECT count(*) AS open FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'strandline_app' AND xact_start IS NOT NULL
        """
        self.open_transactions += self.bench.query(query)[0].open


def test_no_transaction_is_open_during_a_request_to_the_venue(bench: ExecutionBench) -> None:
    executor = TransactionCounter(bench.venue, executes=first(Behaviour.LOSES_RESPONSE))
    executor.bench = bench
    bench.plan(0)
    bench.plan(1)
    bench.run(executor)
    assert bench.run(executor).recovered == 1
    assert executor.open_transactions == 0


def test_a_result_that_is_booked_again_changes_nothing(bench: ExecutionBench) -> None:
    """A driver that was paused goes on after another one has recovered its order."""
    bench.plan(0)
    recovered: list[bool] = []

    def other(point: str) -> None:
        if point == "answered" and not recovered:
            recovered.append(True)
            recovered.append(bench.run() == VenueRun(recovered=1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "LOCK_TIMEOUT", timedelta(milliseconds=1))
        assert bench.run(checkpoint=other) == VenueRun(filled=1)
    assert recovered == [True, True]
    assert len(bench.strands()) == 1
    bench.check_settled()


def test_a_driver_whose_order_is_being_recovered_by_another_does_not_send_it(
    bench: ExecutionBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOCK_TIMEOUT", timedelta(milliseconds=1))
    bench.plan(0)
    slow = ScriptedExecutor(bench.venue)

    def other(point: str) -> None:
        if point == "written":
            bench.run(ScriptedExecutor(bench.venue, recovers=always(Behaviour.STILL_UNKNOWN)))

    assert bench.run(slow, other) == VenueRun(lost=1)
    assert slow.sent == []
    assert bench.run() == VenueRun(recovered=1)
    bench.check_settled()


def test_a_lost_claim_cannot_advance_the_intent(bench: ExecutionBench) -> None:
    bench.plan(0)
    with bench.engine.begin() as connection:
        (planned,) = read_open(connection)
        first_claim = claim(connection, planned, bench.clock())
        assert claim(connection, planned, bench.clock()) is None
        (preparing,) = read_open(connection)
        second_claim = claim(connection, preparing, bench.clock())
        assert first_claim is not None
        assert second_claim is not None
        assert not advance(connection, first_claim, IntentStatus.READY, bench.clock())
        assert advance(connection, second_claim, IntentStatus.SKIPPED, bench.clock(), "test")


def test_a_driver_that_lost_its_claim_stores_neither_order_nor_nonce(bench: ExecutionBench) -> None:
    bench.plan(0)
    nonce = "SELECT last_nonce FROM venue_accounts"
    before = bench.query(nonce)

    def another_claims(point: str) -> None:
        if point == "prepared":
            with bench.engine.begin() as connection:
                (preparing,) = read_open(connection)
                assert claim(connection, preparing, bench.clock()) is not None

    assert bench.run(checkpoint=another_claims) == VenueRun(lost=1)
    assert bench.query("SELECT FROM orders") == []
    assert bench.query(nonce) == before
    assert bench.venue.accepted == {}


def test_a_remainder_too_small_to_sell_becomes_dust_when_the_order_is_over(bench: ExecutionBench) -> None:
    bench.plan(0)
    bench.run()
    bench.plan_exit(0)
    bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.FILLS_NEARLY)))
    assert bench.held(0) == 0
    assert bench.query("SELECT quantity FROM dust") == [(Decimal("0.01"),)]
    assert bench.query("SELECT close_reason FROM trades") == [("dust",)]
    bench.check_settled()


def test_dust_stays_dust_when_the_venue_changes_its_minimum(bench: ExecutionBench) -> None:
    bench.plan(0)
    bench.run()
    bench.plan_exit(0)
    bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.FILLS_NEARLY)))
    with bench.admin.begin() as connection:
        connection.execute(text("UPDATE instruments SET min_notional = 0.1, lot = 0.001"))
    bench.check_settled()


def test_a_sell_in_doubt_whose_remainder_became_dust_can_still_fill(
    bench: ExecutionBench,
) -> None:
    bench.plan(0)
    bench.run()
    bench.plan_exit(0)
    bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.REPORTS_PART)))
    assert bench.held(0) == Decimal("0.05")
    bench.clock.move(seconds=1)
    bench.plan(0)
    assert bench.run(ScriptedExecutor(bench.venue, recovers=first(Behaviour.STILL_UNKNOWN))) == VenueRun(
        unknown=1, filled=1
    )
    assert bench.held(0) == 1
    assert bench.query("SELECT close_reason FROM trades") == [("dust",)]
    assert bench.run() == VenueRun(recovered=1)
    assert bench.held(0) == Decimal("0.95")
    bench.check_settled()


class DeadOrders(ScriptedExecutor):
    """Reports every order as dead."""

    def recover(self, order: SignedOrder) -> ExecutionResult:
        """Report the order as dead, whatever the venue has done."""
        return result(order, OrderStatus.DEAD, self.venue_state.clock(), error="not found")


def test_fills_of_an_order_recorded_as_dead_are_booked_and_its_status_stays(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    bench.run(ScriptedExecutor(bench.venue, executes=first(Behaviour.LOSES_RESPONSE)))
    with bench.engine.connect() as connection:
        (order,) = unresolved(connection, Account(bench.venue.key, ADDRESS))
    assert bench.run(DeadOrders(bench.venue)) == VenueRun(recovered=1)
    assert bench.held(0) == 0
    bench.clock.move(seconds=1)
    for _ in range(2):
        with bench.engine.begin() as connection:
            reported = bench.venue.final_result(order)
            assert (
                book(connection, Account(bench.venue.key, ADDRESS), order, reported, bench.clock(), CODE)
                is OrderStatus.DEAD
            )
    assert bench.held(0) == 1
    assert bench.status(intent_id) == ("failed", "dead")
    assert [strand.result.status for strand in bench.strands() if strand.result] == ["unknown", "dead", "filled"]
    bench.check_settled()


def test_no_intent_is_started_before_the_opening_balances_are_booked(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    assert bench.run(ScriptedExecutor(bench.venue, address="0xnew")) == VenueRun(left=1)
    assert bench.status(intent_id) == ("planned", None)


def test_a_nonce_is_never_given_twice_even_when_the_clock_goes_back(bench: ExecutionBench) -> None:
    account = Account(bench.venue.key, ADDRESS)
    given = []
    for by in (0, 0, 0.005, -60, 0, 120):
        bench.clock.move(seconds=by)
        with bench.engine.begin() as connection:
            given.append(next_nonce(connection, account, bench.clock()))
    assert given == sorted(set(given))
    assert given[-1] == int(bench.clock().timestamp() * 1000)


def test_the_account_lock_is_waited_for_until_its_timeout(
    bench: ExecutionBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOCK_TIMEOUT", timedelta(milliseconds=20))
    account = Account(bench.venue.key, ADDRESS)
    held = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with account_lock(bench.engine, account), account_lock(bench.engine, account):
        assert bench.query(held)[0].n == 1
    # A session ends a moment after it was closed; one that went back into the pool would keep the lock for ever.
    with bench.admin.connect() as later:
        later.execute(text("SET lock_timeout = '10s'"))
        later.execute(
            text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"),
            {"name": f"strandline/{bench.venue.key}/{ADDRESS}"},
        )
        assert later.scalar(text("SELECT pg_advisory_unlock_all() IS NOT NULL"))


@pytest.mark.slow
def test_several_drivers_at_once_trade_each_intent_once(
    cash_bench: ExecutionBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOCK_TIMEOUT", timedelta(milliseconds=1))
    for _ in range(4):
        for row in range(3):
            cash_bench.plan(row)
            cash_bench.plan_exit(row)
        assert at_once(lambda: _ignore(cash_bench.run()), 3) == []
        cash_bench.check_always()
        cash_bench.clock.move(seconds=1)
    cash_bench.clock.move(seconds=1000)
    cash_bench.run()
    cash_bench.check_settled()
    assert len(cash_bench.venue.accepted) > 12


def _ignore(_: VenueRun) -> None:
    """Discard the result: any of the drivers may get any intent."""


def _die_at(point: str) -> Any:
    def fault(name: str) -> None:
        if name == point:
            raise Killed

    return fault


def test_the_account_is_registered_once(bench: ExecutionBench) -> None:
    bench.run()
    bench.run()
    with bench.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM venue_accounts")) == 1
