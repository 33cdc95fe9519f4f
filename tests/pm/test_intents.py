"""What an exit's intent says, attempt for attempt."""

from datetime import timedelta
from typing import Any

import pytest

from strandline.model.exact import Ratio
from strandline.model.intent import ExecutionIntent, ExitReason, Urgency
from strandline.model.signal import EngineState, Flag
from strandline.pm import plan
from strandline.pm.inputs import Past, Row
from tests.pm.build import BAR, STRATEGY, T, cycle, decide, held, memory, row, with_number


def sold(one: Row) -> ExecutionIntent:
    """The intent, which must be there."""
    intent = decide(one).intent
    assert intent is not None
    return intent


def stopped(*ended: int, **special: Any) -> Row:
    """Below the stop, after exits of these rules have ended."""
    return row(holding=held(), price=90, past=Past(ended_exits=ended), **special)


@pytest.mark.parametrize(
    ("ended", "attempt", "slippage"),
    [((), 0, 50), ((1,), 1, 300), ((1, 1), 2, 600), ((1, 1, 1, 1), 4, 600), ((6, 2, 4), 0, 50), ((6, 1, 4), 1, 300)],
)
def test_an_exit_gives_more_room_with_each_attempt_of_its_rule(
    ended: tuple[int, ...], attempt: int, slippage: int
) -> None:
    intent = sold(stopped(*ended))
    assert (intent.attempt_no, intent.max_slippage_bps) == (attempt, slippage)


def test_each_attempt_has_its_own_id_and_the_same_attempt_the_same() -> None:
    ids = [sold(stopped(*ended)).intent_id for ended in ((), (1,), (1, 1))]
    assert len(set(ids)) == 3
    assert sold(stopped(1)).intent_id == ids[1]


def test_a_trim_slips_no_more_than_an_entry() -> None:
    intent = sold(row(Flag.TRIM_FLAG, holding=held(), past=Past(ended_exits=(6, 6))))
    assert (intent.attempt_no, intent.max_slippage_bps, intent.urgency) == (2, 50, Urgency.NORMAL)


def test_an_exit_sells_the_whole_urgently_within_ten_minutes() -> None:
    intent = sold(stopped())
    assert (intent.size_frac, intent.quantity, intent.urgency) == (Ratio(1), held().quantity, Urgency.HIGH)
    assert (intent.expires_at, intent.reduce_only, intent.notional) == (T + timedelta(seconds=600), True, None)
    assert (intent.trade_no, intent.source_bar, intent.state) == (3, BAR, EngineState.S1)


def test_a_quantity_below_a_lot_is_still_sold() -> None:
    """What can be done with it is the executor's to say."""
    assert sold(row(holding=held("0.0004"), price=90)).quantity == held("0.0004").quantity


def test_an_exit_needs_no_signal() -> None:
    intent = sold(row(holding=held(), price=90, newest=None, signals=(), memory=None))
    assert (intent.exit_reason, intent.source_bar, intent.state) == (ExitReason.STOP, BAR, EngineState.S4)


def test_numbers_and_hash_are_the_strategys() -> None:
    other = with_number("exits", stop_pct=20.0)
    near, far = row(holding=held(), price=90), row(holding=held(), price=80)
    assert plan(cycle(near), other).intents == ()
    assert plan(cycle(far), other).intents[0].strategy_hash == other.hash != STRATEGY.hash


def test_the_digest_covers_holds_and_what_they_rest_on() -> None:
    holds = plan(cycle(row()), STRATEGY)
    assert holds.intents == ()
    others = [
        cycle(row(price=99)),
        cycle(row(memory=memory(trade_no=0)), losing_streak=1),
        cycle(row(), row(token="ETH")),
    ]
    assert len({holds.digest, *(plan(one, STRATEGY).digest for one in others)}) == 4
