"""What the driver does with each kind of answer."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from strandline.execution import VenueRun, accounts
from strandline.execution.accounts import account_lock, next_nonce
from strandline.execution.booking import book
from strandline.execution.intent_history import open_intents
from strandline.execution.intents import advance, claim
from strandline.execution.orders import unresolved
from strandline.ledger.account import Account
from strandline.model.evidence import Evidence
from strandline.model.exact import Quantity
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.model.strand import StrandKind
from tests.execution.book_room import CODE, BookRoom, Killed
from tests.execution.fake_venue import ADDRESS, FakeExecutor, Mood, always, result
from tests.store.concurrency import at_once


def first(*moods: Mood) -> Iterator[Mood]:
    """These, then good ones."""
    return chain(moods, always())


def test_an_entry_becomes_a_holding_and_its_strand_tells_everything(room: BookRoom) -> None:
    evidence = Evidence(
        appetite=0.6,
        exit_urgency=0.25,
        rules_not_fired={"stop": "flat"},
        terms={"meso": 0.1},
        inputs={"attempt_id": "2026-03-02T08:00:00Z"},
    )
    intent_id = room.plan(0, notional=200, evidence=msgspec.json.encode(evidence).decode())
    assert room.run() == VenueRun(filled=1)
    assert room.status(intent_id) == ("done", None)
    assert room.held(0) == 2
    (strand,) = room.strands()
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
    assert (strand.cycle, strand.token_contract, strand.symbol, strand.rule) == (
        strand.intent.cycle,
        "BTC",
        "BTC-USD",
        8,
    )
    room.check_settled()


def test_the_strand_of_the_sell_that_closes_a_trade_has_its_profit(room: BookRoom) -> None:
    room.plan(0, notional=200)
    room.run()
    room.venue.price = Decimal(110)
    room.plan_exit(0)
    room.run()
    trade = room.ask("SELECT * FROM trades")[0]
    pnl = room.strands()[-1].pnl
    assert pnl is not None
    assert pnl.decimal == trade.net_pnl == 20 - trade.fees
    assert (trade.close_reason, trade.trade_no) == ("stop", 1)


def test_a_skip_is_final_and_its_strand_says_why(room: BookRoom) -> None:
    intent_id = room.plan(0)
    assert room.run(FakeExecutor(room.venue, prepares=first(Mood.SKIPS))) == VenueRun(skipped=1)
    assert room.status(intent_id) == ("skipped", "market_closed")
    (strand,) = room.strands()
    assert (strand.skip_reason, strand.result, strand.executed_at) == ("market_closed: until Monday", None, None)
    room.check_settled()


def test_exits_go_first(room: BookRoom) -> None:
    room.plan(1)
    room.run()
    room.clock.move(seconds=1)
    room.plan(0)
    room.clock.move(seconds=1)
    room.plan_exit(1)
    executor = FakeExecutor(room.venue, executes=first(Mood.FILLS, Mood.FINDS_NO_MATCH))
    assert room.run(executor) == VenueRun(filled=1, failed=1)
    assert room.held(0) == 0
    assert room.held(1) == 0


def test_when_time_is_up_nothing_new_is_begun_but_what_is_in_doubt_is_recovered(room: BookRoom) -> None:
    room.plan(0)
    assert room.run(FakeExecutor(room.venue, executes=first(Mood.FILLS_UNHEARD))) == VenueRun(unknown=1)
    intent_id = room.plan(1)
    assert room.run(seconds=0) == VenueRun(recovered=1, left=1)
    assert room.status(intent_id) == ("planned", None)
    assert room.held(0) == 1


def test_what_becomes_known_later_is_a_child_of_the_decision(room: BookRoom) -> None:
    room.plan(0)
    cycle = room.clock()
    room.run(FakeExecutor(room.venue, executes=first(Mood.TELLS_PART)))
    assert room.held(0) == Decimal("0.95")
    room.clock.move(minutes=5)
    room.run(FakeExecutor(room.venue, recovers=first(Mood.CANNOT_TELL)))
    assert len(room.strands()) == 1
    room.clock.move(minutes=5)
    room.run()
    decision, outcome = room.strands()
    assert decision.result is not None
    assert outcome.result is not None
    assert (decision.result.status, outcome.result.status) == (OrderStatus.UNKNOWN, OrderStatus.FILLED)
    assert (outcome.kind, outcome.parent, outcome.cycle) == (StrandKind.OUTCOME, decision.strand_id, cycle)
    room.check_settled()


def test_an_entry_is_let_go_when_the_venue_is_away_and_an_exit_is_tried_again(room: BookRoom) -> None:
    room.plan(0)
    room.run()
    room.clock.move(seconds=1)
    entry, leaving = room.plan(2), room.plan_exit(0)
    assert room.run(FakeExecutor(room.venue, prepares=always(Mood.IS_AWAY))) == VenueRun(skipped=1, postponed=1)
    assert room.status(entry) == ("skipped", "venue_unreachable")
    assert room.strands()[-1].skip_reason == "venue_unreachable: CutConnectionError"
    assert room.status(leaving) == ("preparing", None)
    assert room.run() == VenueRun(filled=1)
    assert room.held(0) == 0
    room.check_settled()


def test_what_was_not_begun_in_time_expires(room: BookRoom) -> None:
    entry = room.plan(0)
    room.plan(1)
    with pytest.raises(Killed):
        room.run(faults=_die_at("claimed"))
    assert sorted(row.status for row in room.ask("SELECT status FROM intents")) == ["planned", "preparing"]
    room.clock.move(seconds=300)
    assert room.run() == VenueRun(expired=2)
    assert room.status(entry) == ("skipped", "expired")
    assert room.venue.accepted == {}
    room.check_settled()


def test_an_intent_that_expires_while_it_is_prepared_is_not_sent(room: BookRoom) -> None:
    intent_id = room.plan(0)

    def dawdle(point: str) -> None:
        if point == "prepared":
            room.clock.move(seconds=300)

    assert room.run(faults=dawdle, seconds=1000) == VenueRun(skipped=1)
    assert room.status(intent_id) == ("skipped", "expired")
    assert room.venue.accepted == {}


class Careless(FakeExecutor):
    """Makes a plan that differs from the right one."""

    differs: dict[str, Any]

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """As it should not be."""
        return msgspec.structs.replace(super().prepare(intent, position, attempt), **self.differs)


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"quantity": Quantity("1.001")}, "exceeds_holding"),
        ({"token_contract": "ETH"}, "plan_differs"),
        ({"intent_id": "other"}, "plan_differs"),
    ],
)
def test_a_plan_that_is_not_the_intents_never_becomes_an_order(
    room: BookRoom, differs: dict[str, Any], reason: str
) -> None:
    other = room.plan(0)
    room.run()
    leaving = room.plan_exit(0)
    executor = Careless(room.venue)
    executor.differs = {name: other if value == "other" else value for name, value in differs.items()}
    assert room.run(executor) == VenueRun(skipped=1)
    assert room.status(leaving) == ("skipped", reason)
    assert room.held(0) == 1


class Watching(FakeExecutor):
    """Looks at the database whenever the venue is asked."""

    room: BookRoom
    open_transactions = 0

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """And look."""
        self.look()
        return super().prepare(intent, position, attempt)

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """And look."""
        self.look()
        return super().execute(order)

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """And look."""
        self.look()
        return super().recover(order)

    def look(self) -> None:
        """Transactions of ours that are open now."""
        query = """
        SELECT count(*) AS open FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'strandline_app' AND xact_start IS NOT NULL
        """
        self.open_transactions += self.room.ask(query)[0].open


def test_no_transaction_is_open_while_the_venue_is_asked(room: BookRoom) -> None:
    executor = Watching(room.venue, executes=first(Mood.FILLS_UNHEARD))
    executor.room = room
    room.plan(0)
    room.plan(1)
    room.run(executor)
    assert room.run(executor).recovered == 1
    assert executor.open_transactions == 0


def test_what_is_told_again_after_the_end_changes_nothing(room: BookRoom) -> None:
    """A driver that was given up for dead comes back after another one has recovered its order."""
    room.plan(0)
    recovered: list[bool] = []

    def other(point: str) -> None:
        if point == "answered" and not recovered:
            recovered.append(True)
            recovered.append(room.run() == VenueRun(recovered=1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "PATIENCE", timedelta(milliseconds=1))
        assert room.run(faults=other) == VenueRun(filled=1)
    assert recovered == [True, True]
    assert len(room.strands()) == 1
    room.check_settled()


def test_a_driver_whose_order_is_being_recovered_by_another_does_not_send_it(
    room: BookRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PATIENCE", timedelta(milliseconds=1))
    room.plan(0)
    slow = FakeExecutor(room.venue)

    def other(point: str) -> None:
        if point == "written":
            room.run(FakeExecutor(room.venue, recovers=always(Mood.CANNOT_TELL)))

    assert room.run(slow, other) == VenueRun(lost=1)
    assert slow.sent == []
    assert room.run() == VenueRun(recovered=1)
    room.check_settled()


def test_who_lost_his_claim_can_do_nothing_with_the_intent(room: BookRoom) -> None:
    room.plan(0)
    with room.engine.begin() as connection:
        (planned,) = open_intents(connection)
        first_claim = claim(connection, planned, room.clock())
        assert claim(connection, planned, room.clock()) is None
        (preparing,) = open_intents(connection)
        second_claim = claim(connection, preparing, room.clock())
        assert first_claim is not None
        assert second_claim is not None
        assert not advance(connection, first_claim, IntentStatus.READY, room.clock())
        assert advance(connection, second_claim, IntentStatus.SKIPPED, room.clock(), "test")


def test_a_remainder_too_small_to_sell_becomes_dust_when_the_order_is_over(room: BookRoom) -> None:
    room.plan(0)
    room.run()
    room.plan_exit(0)
    room.run(FakeExecutor(room.venue, executes=first(Mood.FILLS_NEARLY)))
    assert room.held(0) == 0
    assert room.ask("SELECT quantity FROM dust") == [(Decimal("0.01"),)]
    assert room.ask("SELECT close_reason FROM trades") == [("dust",)]
    room.check_settled()


def test_dust_stays_dust_when_the_venue_changes_its_minimum(room: BookRoom) -> None:
    room.plan(0)
    room.run()
    room.plan_exit(0)
    room.run(FakeExecutor(room.venue, executes=first(Mood.FILLS_NEARLY)))
    with room.admin.begin() as connection:
        connection.execute(text("UPDATE instruments SET min_notional = 0.1, lot = 0.001"))
    room.check_settled()


def test_a_sell_in_doubt_is_judged_when_the_row_buys_again_and_its_rest_is_still_booked(room: BookRoom) -> None:
    room.plan(0)
    room.run()
    room.plan_exit(0)
    room.run(FakeExecutor(room.venue, executes=first(Mood.TELLS_PART)))
    assert room.held(0) == Decimal("0.05")
    room.clock.move(seconds=1)
    room.plan(0)
    assert room.run(FakeExecutor(room.venue, recovers=first(Mood.CANNOT_TELL))) == VenueRun(unknown=1, filled=1)
    assert room.held(0) == 1
    assert room.ask("SELECT close_reason FROM trades") == [("dust",)]
    assert room.run() == VenueRun(recovered=1)
    assert room.held(0) == Decimal("0.95")
    room.check_settled()


class Liar(FakeExecutor):
    """Takes every order for dead."""

    def recover(self, order: SignedOrder) -> ExecutionResult:
        """Without proof."""
        return result(order, OrderStatus.DEAD, self.truth.clock(), error="not found")


def test_fills_of_an_order_that_was_thought_dead_are_booked_and_its_fate_stays(room: BookRoom) -> None:
    intent_id = room.plan(0)
    room.run(FakeExecutor(room.venue, executes=first(Mood.FILLS_UNHEARD)))
    with room.engine.connect() as connection:
        (order,) = unresolved(connection, Account(room.venue.key, ADDRESS))
    assert room.run(Liar(room.venue)) == VenueRun(recovered=1)
    assert room.held(0) == 0
    room.clock.move(seconds=1)
    for _ in range(2):
        with room.engine.begin() as connection:
            told = room.venue.fate(order)
            assert (
                book(connection, Account(room.venue.key, ADDRESS), order, told, room.clock(), CODE) is OrderStatus.DEAD
            )
    assert room.held(0) == 1
    assert room.status(intent_id) == ("failed", "dead")
    assert [strand.result.status for strand in room.strands() if strand.result] == ["unknown", "dead", "filled"]
    room.check_settled()


def test_nothing_is_begun_before_the_opening_balances_are_booked(room: BookRoom) -> None:
    intent_id = room.plan(0)
    assert room.run(FakeExecutor(room.venue, address="0xnew")) == VenueRun(left=1)
    assert room.status(intent_id) == ("planned", None)


def test_a_nonce_is_never_given_twice_even_when_the_clock_goes_back(room: BookRoom) -> None:
    account = Account(room.venue.key, ADDRESS)
    given = []
    for by in (0, 0, 0.005, -60, 0, 120):
        room.clock.move(seconds=by)
        with room.engine.begin() as connection:
            given.append(next_nonce(connection, account, room.clock()))
    assert given == sorted(set(given))
    assert given[-1] == int(room.clock().timestamp() * 1000)


def test_who_works_an_account_is_waited_for_but_not_for_ever(room: BookRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "PATIENCE", timedelta(milliseconds=20))
    account = Account(room.venue.key, ADDRESS)
    held = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with account_lock(room.engine, account), account_lock(room.engine, account):
        assert room.ask(held)[0].n == 1
    # A session ends a moment after it was closed; one that went back into the pool would keep the lock for ever.
    with room.admin.connect() as later:
        later.execute(text("SET lock_timeout = '10s'"))
        later.execute(
            text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"),
            {"name": f"strandline/{room.venue.key}/{ADDRESS}"},
        )
        assert later.scalar(text("SELECT pg_advisory_unlock_all() IS NOT NULL"))


@pytest.mark.slow
def test_several_drivers_at_once_trade_each_intent_once(cash_room: BookRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "PATIENCE", timedelta(milliseconds=1))
    for _ in range(4):
        for row in range(3):
            cash_room.plan(row)
            cash_room.plan_exit(row)
        assert at_once(lambda: _ignore(cash_room.run()), 3) == []
        cash_room.check_always()
        cash_room.clock.move(seconds=1)
    cash_room.clock.move(seconds=1000)
    cash_room.run()
    cash_room.check_settled()
    assert len(cash_room.venue.accepted) > 12


def _ignore(_: VenueRun) -> None:
    """Who gets which intent is nobody's business."""


def _die_at(point: str) -> Any:
    def fault(name: str) -> None:
        if name == point:
            raise Killed

    return fault


def test_the_account_is_registered_once(room: BookRoom) -> None:
    room.run()
    room.run()
    with room.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM venue_accounts")) == 1
