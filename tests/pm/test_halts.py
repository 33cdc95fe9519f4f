"""Halts, and what a person wants sold."""

from uuid import UUID

import pytest

from strandline.model.control import Halt
from strandline.model.intent import Decision, ExitReason, IntentStatus, Urgency, manual_intent_id
from strandline.model.position import DesiredStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag
from strandline.pm import reasons as why
from strandline.pm.inputs import ExitRequest, TradeHistory
from tests.pm.sample_inputs import STRATEGY, closed, decide, held, open_intent, planner_state, row

ASKED = ExitRequest(number=7, request_id=UUID(int=7))


@pytest.mark.parametrize("halt", Halt)
def test_a_halt_stops_entries_and_is_named_first(halt: Halt) -> None:
    decision = decide(row(Flag.BUY_SIGNAL), halt=halt, block_all_entries=("check_failed:bars",))
    assert (decision.intent, decision.reasons) == (None, (halt.value, "check_failed:bars"))
    assert decision.evidence.inputs["wanted"] == "first_buy (rule 8): 2250"


def test_exits_go_on_under_a_halt_of_entries() -> None:
    assert decide(row(holding=held(), price=92), halt=Halt.ENTRIES).rule is Rule.STOP
    assert decide(row(Flag.TRIM_FLAG, holding=held(entry=90)), halt=Halt.ENTRIES).rule is Rule.TRIM


def test_under_halt_all_a_stop_is_held_and_stays_due() -> None:
    """Also when the price has come back by the time that orders are allowed again."""
    one = row(holding=held(), price=92)
    halted = decide(one, halt=Halt.ALL)
    assert (halted.rule, halted.intent, halted.reasons) == (Rule.BLOCKED, None, ("halt_all",))
    assert halted.evidence.inputs["wanted"] == "stop (rule 1): 10"
    assert halted.evidence.rules_not_fired["stop"] == why.BLOCKED
    later = row(holding=held(), price=100, signals=(), newest=one.newest, planner_state=halted.planner_state)
    assert decide(later).rule is Rule.STOP


def test_a_trim_waits_under_halt_all_and_keeps_its_flag() -> None:
    one = row(Flag.TRIM_FLAG, holding=held(entry=90))
    halted = decide(one, halt=Halt.ALL)
    assert (halted.rule, halted.intent) == (Rule.BLOCKED, None)
    assert halted.planner_state is not None
    assert one.newest is not None
    assert halted.planner_state.bar_ts < one.newest.bar_ts


@pytest.mark.parametrize("halt", [None, *Halt])
def test_what_a_person_wants_sold_is_sold_under_everything(halt: Halt | None) -> None:
    blocked = row(
        holding=held(), exit_request=ASKED, desired_status=DesiredStatus.PAUSED, block_all=("broken",), price=None
    )
    decision = decide(blocked, halt=halt, equity=None)
    intent = decision.intent
    assert intent is not None
    assert (decision.rule, intent.decision, intent.exit_reason) == (Rule.MANUAL, Decision.DEMOTE, ExitReason.MANUAL)
    assert (intent.quantity, intent.urgency, intent.reduce_only) == (held().quantity, Urgency.HIGH, True)
    assert intent.intent_id == manual_intent_id(ASKED.request_id, blocked.position.position_id, 0)


def test_it_comes_before_a_stop_and_its_attempts_are_told_apart() -> None:
    first = decide(row(holding=held(), price=80, exit_request=ASKED)).intent
    again = decide(
        row(holding=held(), price=80, exit_request=ASKED, history=TradeHistory(ended_exits=(Rule.MANUAL,)))
    ).intent
    assert first is not None
    assert again is not None
    assert (first.rule, again.rule) == (Rule.MANUAL, Rule.MANUAL)
    assert first.intent_id != again.intent_id
    assert (first.max_slippage_bps, again.max_slippage_bps) == STRATEGY.execution.exit_slippage_bps[:2]


def test_two_requests_make_two_intents_and_two_rows_of_one_request_too() -> None:
    ids = {
        decide(
            row(holding=held(), token=token, exit_request=ExitRequest(number=7, request_id=UUID(int=number)))
        ).intent.intent_id  # type: ignore[union-attr]
        for token in ("BTC", "ETH")
        for number in (1, 2)
    }
    assert len(ids) == 4


def test_it_waits_for_an_exit_that_is_on_its_way() -> None:
    waiting = row(holding=held(), exit_request=ASKED, open_intents=(open_intent(Side.SELL, IntentStatus.SENT),))
    assert decide(waiting).reasons == ("manual", why.WAITS_FOR_OPEN_EXIT)


def test_a_request_is_over_once_the_row_was_flat() -> None:
    """A later trade is not sold by it, and a later request is another one."""
    flat = decide(row(holding=closed(), exit_request=ASKED))
    assert flat.planner_state is not None
    assert flat.planner_state.settled_request == ASKED.number
    again = planner_state(trade_no=4, settled_request=ASKED.number)
    later = row(holding=held(trade_no=4), exit_request=ASKED, planner_state=again)
    assert decide(later).rule is not Rule.MANUAL
    new = ExitRequest(number=8, request_id=UUID(int=8))
    assert decide(row(holding=held(trade_no=4), exit_request=new, planner_state=again)).rule is Rule.MANUAL


def test_a_request_waits_for_a_buy_that_is_in_doubt() -> None:
    """What it buys is sold: the request is not over before the buy is."""
    doubt = row(holding=closed(), exit_request=ASKED, open_intents=(open_intent(Side.BUY, IntentStatus.UNKNOWN),))
    decided = decide(doubt)
    assert decided.intent is None
    assert decided.planner_state is not None
    assert decided.planner_state.settled_request == 0
    bought = row(holding=held(trade_no=4), exit_request=ASKED, planner_state=decided.planner_state)
    assert decide(bought).rule is Rule.MANUAL


def test_a_price_that_comes_back_does_not_keep_what_a_person_wants_sold() -> None:
    one = row(holding=held(), exit_request=ASKED)
    first = decide(one)
    half = row(holding=held(5), exit_request=ASKED, price=120, planner_state=first.planner_state)
    assert decide(half).rule is Rule.MANUAL
