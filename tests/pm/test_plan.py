"""Properties of every plan."""

import random
from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.model.breaker import Breaker
from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.control import Halt
from strandline.model.exact import Money, Ratio
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, IntentStatus
from strandline.model.position import DesiredStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag
from strandline.pm import plan
from strandline.pm import reasons as why
from strandline.pm.decisions import Plan, RowDecision
from strandline.pm.inputs import CycleInputs, ExitRequest, LastLoss, RowInputs
from tests.pm.generated_inputs import cycles
from tests.pm.sample_inputs import STRATEGY, T, changed, intents

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

pytestmark = pytest.mark.slow

FLAG_OF = {
    Rule.FIRST_BUY: Flag.BUY_SIGNAL,
    Rule.S2_BUY: Flag.BUY_FLAG,
    Rule.FIRST_DIP: Flag.FIRST_DIP_BUY_FLAG,
    Rule.LADDER: Flag.BUY_FLAG,
    Rule.RECLAIM: Flag.RECLAIMED_EMA333,
}
RULES: tuple[Rule, ...] = tuple(Rule)
SELLS = RULES[:7]
EXITS = RULES[:6]


def test_the_examples_reach_every_rule() -> None:
    """Without this, all that follows could hold because nothing ever happens."""
    seen: set[object] = set()

    @settings(max_examples=1_000, derandomize=True, deadline=None, database=None)
    @given(cycles())
    def look(inputs: CycleInputs) -> None:
        for one in plan(inputs, STRATEGY).decisions:
            seen.update({(one.rule, one.intent is not None), ("calls off", bool(one.cancels))}, one.reasons)

    look()
    fired = {(rule, True) for rule in (*SELLS, *FLAG_OF)}
    held = {(Rule.BLOCKED, False), (Rule.HOLD, False), ("calls off", True), why.WAITS_FOR_OPEN_EXIT}
    assert fired | held | {why.CAP_TOKEN, why.CAP_TOTAL, why.FREE_CASH} <= seen


@given(cycles())
def test_every_row_gets_one_decision_that_says_why_each_other_rule_did_not_decide(inputs: CycleInputs) -> None:
    decisions = plan(inputs, STRATEGY).decisions
    assert [one.position_id for one in decisions] == sorted(row.position.position_id for row in inputs.rows)
    for one in decisions:
        named = one.evidence.rules_not_fired
        assert list(named) == [rule.value for rule in RULES if rule not in (one.rule, Rule.HOLD)]
        assert all(named.values())
        if one.rule is Rule.HOLD:
            assert why.NOT_REACHED not in named.values()


@given(cycles(), st.randoms(use_true_random=False))
def test_the_same_inputs_give_the_same_bytes(inputs: CycleInputs, shuffle: random.Random) -> None:
    """Also after the inputs were serialised and read again, and with the rows in another order."""
    planned = plan(inputs, STRATEGY)
    read = from_json(canonical_bytes(inputs), CycleInputs)
    rows = list(read.rows)
    shuffle.shuffle(rows)
    again = plan(changed(read, rows=tuple(rows)), STRATEGY)
    assert canonical_bytes(again) == canonical_bytes(planned)
    assert again.digest == planned.digest
    assert from_json(canonical_bytes(planned), Plan) == planned


@given(cycles())
def test_caps_hold_wherever_something_is_added(inputs: CycleInputs) -> None:
    limits = STRATEGY.allocation
    groups: list[tuple[float, Callable[[RowInputs], Hashable]]] = [
        (limits.max_position_pct, token),
        (limits.max_venue_pct, lambda row: row.position.key.venue),
        (limits.max_total_pct, lambda _: "all"),
    ]
    bought = {one.position_id: one.notional for one in intents(plan(inputs, STRATEGY)) if one.notional}
    for pct, group_of in groups:
        taken: dict[Hashable, Money] = defaultdict(lambda: Money(0))
        for row in inputs.rows:
            taken[group_of(row)] += exposure(row) + reserved(row) + bought.get(row.position.position_id, Money(0))
        for row in inputs.rows:
            if row.position.position_id in bought:
                assert taken[group_of(row)] <= part_of_equity(inputs, pct)


@given(cycles())
def test_no_row_takes_more_than_its_share_and_no_venue_more_than_its_cash(inputs: CycleInputs) -> None:
    decision, spent = by_row(inputs), dict(inputs.free_cash)
    for row in inputs.rows:
        spent[str(row.position.key.venue)] -= reserved(row)
    for row in inputs.rows:
        entry = buy(decision[row.position.position_id])
        if entry is None or entry.notional is None:
            continue
        trading = (one for one in inputs.rows if token(one) == token(row) and one.position.may_buy)
        weights = sum((one.position.weight for one in trading), Ratio(0))
        share = part_of_equity(inputs, STRATEGY.allocation.max_position_pct) * row.position.weight
        assert (cost(row) + reserved(row) + entry.notional) * weights <= share
        spent[str(entry.venue)] -= entry.notional
        assert spent[str(entry.venue)] >= Money(0)


@given(cycles())
def test_an_intent_is_the_only_one_of_its_row_and_side(inputs: CycleInputs) -> None:
    decision = by_row(inputs)
    found = [one.intent for one in decision.values() if one.intent]
    assert len({one.intent_id for one in found}) == len(found)
    assert all(one.cycle == T and one.strategy_hash == STRATEGY.hash for one in found)
    for row in inputs.rows:
        one = decision[row.position.position_id]
        planned = {
            before.intent_id
            for before in row.open_intents
            if before.side is Side.BUY and before.status is IntentStatus.PLANNED
        }
        assert one.intent is None or one.intent.side not in {before.side for before in row.open_intents}
        assert set(one.cancels) == (planned if one.rule in SELLS else set())


@given(cycles())
def test_nothing_is_sold_that_is_not_held_and_a_trim_leaves_no_dust(inputs: CycleInputs) -> None:
    decision = by_row(inputs)
    for row in inputs.rows:
        intent, quantity = decision[row.position.position_id].intent, row.position.holding.quantity
        if intent is None or intent.quantity is None:
            continue
        assert intent.decision is Decision.TRIM or intent.quantity == quantity
        assert intent.quantity in (quantity, intent.quantity.in_lots(row.instrument.lot))
        left = quantity - intent.quantity
        assert not left or left * intent.decision_price >= row.instrument.min_notional * Ratio("1.5")


@given(cycles())
def test_nothing_but_an_open_sell_and_halt_all_stops_an_exit(inputs: CycleInputs) -> None:
    """Every block, breaker and latch there is, entries halted, no equity, no cash, no mark: the same exits, and nothing
    else."""
    inputs = changed(inputs, halt=None)
    rows = tuple(
        changed(
            row,
            position=changed(row.position, desired_status=DesiredStatus.PAUSED, ready=False),
            mark=None,
            block_entries=("outage",),
            block_all=("broken",),
            history=changed(row.history, last_loss=LastLoss(trade_no=row.trade_no, trend_id=None)),
        )
        for row in inputs.rows
    )
    worst = changed(
        inputs,
        rows=rows,
        equity=None,
        day_start=None,
        peak=None,
        free_cash={},
        losing_streak=9,
        tripped_before=tuple(Breaker),
        block_all_entries=("check_failed:bars",),
        halt=Halt.ENTRIES,
    )
    calm, blocked = by_row(inputs), by_row(worst)
    for row in inputs.rows:
        before, after = calm[row.position.position_id], blocked[row.position.position_id]
        if before.rule not in EXITS:
            assert (after.rule, after.intent) == (Rule.BLOCKED, None)
            continue
        assert sold(before) == sold(after)
        waits = any(one.side is Side.SELL for one in row.open_intents)
        assert waits is (before.intent is None) is (why.WAITS_FOR_OPEN_EXIT in before.reasons)


@given(cycles())
def test_under_halt_all_only_what_a_person_wants_sold_is_sold(inputs: CycleInputs) -> None:
    """What a rule would have sold stays due, and is sold once orders are allowed again."""
    free, halted = by_row(changed(inputs, halt=None)), by_row(changed(inputs, halt=Halt.ALL))
    rows = tuple(next_cycle(row, halted[row.position.position_id]) for row in inputs.rows)
    later = by_row(changed(inputs, rows=rows, halt=None))
    for row in inputs.rows:
        before, now = free[row.position.position_id], halted[row.position.position_id]
        if before.rule is Rule.MANUAL:
            assert sold(now) == sold(before)
            continue
        assert (now.rule, now.intent) == (Rule.BLOCKED, None)
        assert Halt.ALL.value in now.reasons
        if before.rule in EXITS:
            assert later[row.position.position_id].rule in EXITS[: EXITS.index(before.rule) + 1]


@given(cycles())
def test_nothing_is_bought_under_a_halt_or_a_breaker(inputs: CycleInputs) -> None:
    planned = plan(inputs, STRATEGY)
    stopped = {str(inputs.halt.value)} if inputs.halt else set()
    stopped |= {f"breaker:{breaker}" for breaker in planned.breakers}
    for one in planned.decisions:
        if stopped:
            assert buy(one) is None
            assert one.rule in SELLS or one.intent is None
        if one.rule is Rule.BLOCKED and one.reasons != (Halt.ALL.value,):
            assert stopped <= set(one.reasons)


@given(cycles())
def test_a_person_sells_before_every_rule(inputs: CycleInputs) -> None:
    asked = ExitRequest(number=9, request_id=UUID(int=9))
    rows = tuple(changed(row, exit_request=asked) for row in inputs.rows)
    decisions = by_row(changed(inputs, rows=rows))
    for row in rows:
        one, holding = decisions[row.position.position_id], row.position.holding
        assert (one.rule is Rule.MANUAL) is bool(holding.quantity)
        if one.intent and one.rule is Rule.MANUAL:
            assert (one.intent.quantity, one.intent.exit_reason) == (holding.quantity, ExitReason.MANUAL)
        if one.planner_state and not row.in_trade:
            assert one.planner_state.settled_request == 9


@given(cycles())
def test_a_flag_buys_once_and_only_on_the_newest_bar(inputs: CycleInputs) -> None:
    """Once: not again in the next cycle, even when nothing came of it."""
    first = by_row(inputs)
    rows = tuple(next_cycle(row, first[row.position.position_id]) for row in inputs.rows)
    second = by_row(changed(inputs, rows=rows))
    for row in inputs.rows:
        entry = buy(first[row.position.position_id])
        if entry is not None:
            assert row.newest is not None
            assert row.newest == row.signals[-1]
            assert FLAG_OF[entry.rule] in row.newest.flags
            assert (entry.source_bar, entry.source_revision) == (row.newest.bar_ts, 0)
            assert buy(second[row.position.position_id]) is None


@given(cycles())
def test_a_block_keeps_flags_for_the_next_cycle(inputs: CycleInputs) -> None:
    """Once it is gone, entries are planned as if it had never been."""
    blocked = by_row(changed(inputs, block_all_entries=("halted",)))
    rows = tuple(next_cycle(row, blocked[row.position.position_id]) for row in inputs.rows)
    later, never = by_row(changed(inputs, rows=rows)), by_row(inputs)
    assert {one: buy(decision) for one, decision in later.items()} == {
        one: buy(decision) for one, decision in never.items()
    }


@given(cycles())
def test_what_is_remembered_of_a_trade_only_grows(inputs: CycleInputs) -> None:
    decision = by_row(inputs)
    for row in inputs.rows:
        old, new = row.trade_state, decision[row.position.position_id].planner_state
        if new is None:
            assert row.planner_state is None
            assert row.newest is None or row.signals
            continue
        assert new.trade_no == row.trade_no
        if not row.in_trade:
            assert new.exit_due is None
        if not row.position.holding.quantity:
            assert (new.highest, new.trail_armed) == (None, False)
        elif old is not None:
            assert old.highest is None or (new.highest is not None and new.highest >= old.highest)
            assert old.exit_due is None or new.exit_due is not None
            assert new.trail_armed or not old.trail_armed or old.highest is None


def by_row(inputs: CycleInputs) -> "dict[UUID, RowDecision]":
    """The decisions, by position."""
    return {one.position_id: one for one in plan(inputs, STRATEGY).decisions}


def next_cycle(row: RowInputs, decision: RowDecision) -> RowInputs:
    """The row as it is read again: only what comes after its cursor is unread."""
    memory = decision.planner_state
    if memory is None:
        return row
    cursor = (memory.bar_ts, memory.bar_revision)
    unread = tuple(one for one in row.signals if (one.bar_ts, one.bar_revision) > cursor)
    return changed(row, planner_state=memory, signals=unread)


def sold(decision: RowDecision) -> object:
    """What is sold and why, without the price, A and E."""
    intent = decision.intent
    return decision.rule, decision.reasons, intent and (intent.intent_id, intent.quantity, intent.exit_reason)


def buy(decision: RowDecision) -> ExecutionIntent | None:
    """The entry, if it is one."""
    return decision.intent if decision.intent and decision.intent.side is Side.BUY else None


def part_of_equity(inputs: CycleInputs, pct: float) -> Money:
    """This percentage of equity."""
    return (inputs.equity or Money(0)) * Ratio(str(pct / 100))


def exposure(row: RowInputs) -> Money:
    """At cost or at market, whichever is more."""
    known = row.price or row.mark
    return max(cost(row), known.price * row.position.holding.quantity if known else Money(0))


def cost(row: RowInputs) -> Money:
    """What the open quantity was bought for."""
    holding = row.position.holding
    return holding.average_entry * holding.quantity if holding.average_entry else Money(0)


def reserved(row: RowInputs) -> Money:
    """What open entries may still cost."""
    return sum((one.notional for one in row.open_intents if one.notional), Money(0))


def token(row: RowInputs) -> "Hashable":
    """The rows of one token share its allocation."""
    return row.position.key.venue, row.position.key.token_contract
