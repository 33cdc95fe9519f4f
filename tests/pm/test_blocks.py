"""Rule 7: what keeps a row from buying, named completely, and what it leaves alone."""

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest

from strandline.model.exact import Money
from strandline.model.intent import IntentStatus
from strandline.model.position import DesiredStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag
from strandline.pm import reasons as why
from strandline.pm.decisions import RowDecision
from tests.pm.sample_inputs import BAR, cycle, decide, held, mark, open_intent, row, signal

OF_A_ROW: dict[str, dict[str, Any]] = {
    "block_all:candle": {"block_all": ("candle",)},
    "block_entries:outage": {"block_entries": ("outage",)},
    why.PAUSED: {"desired_status": DesiredStatus.PAUSED},
    why.DORMANT: {"ready": False},
    why.OPEN_ENTRY: {"open_intents": (open_intent(Side.BUY, IntentStatus.UNKNOWN),)},
    why.OPEN_EXIT: {"open_intents": (open_intent(Side.SELL, IntentStatus.SENT),)},
    why.NO_TRUSTED_PRICE: {"price": None},
}
OF_A_CYCLE: dict[str, dict[str, Any]] = {
    "suite_failed": {"block_all_entries": ("suite_failed",)},
    why.NO_EQUITY: {"equity": None},
}


def test_nothing_blocks_a_good_row() -> None:
    decision = decide(row(Flag.BUY_SIGNAL))
    assert (decision.rule, decision.evidence.rules_not_fired["blocked"]) == (Rule.FIRST_BUY, why.NOT_BLOCKED)


@pytest.mark.parametrize("reason", OF_A_ROW)
def test_each_block_of_a_row_holds_an_entry_and_is_named(reason: str) -> None:
    decision = decide(row(Flag.BUY_SIGNAL, **OF_A_ROW[reason]))
    assert (decision.rule, decision.intent, decision.reasons) == (Rule.BLOCKED, None, (reason,))


@pytest.mark.parametrize("reason", OF_A_CYCLE)
def test_each_block_of_a_cycle_holds_every_entry_and_is_named(reason: str) -> None:
    for one in (row(Flag.BUY_SIGNAL), row(Flag.BUY_SIGNAL, token="ETH")):
        decision = decide(one, **OF_A_CYCLE[reason])
        assert (decision.rule, decision.intent, decision.reasons) == (Rule.BLOCKED, None, (reason,))


@pytest.mark.parametrize("pair", list(combinations(OF_A_ROW, 2)))
def test_all_blocks_that_apply_are_named_in_one_order(pair: tuple[str, str]) -> None:
    first, second = (OF_A_ROW[name] for name in pair)
    both = {name: first.get(name, ()) + second[name] for name in second if isinstance(second[name], tuple)}
    decision = decide(row(Flag.BUY_SIGNAL, **{**first, **second, **both}), block_all_entries=("suite_failed",))
    assert decision.reasons == (*pair, "suite_failed")


def test_a_block_is_named_whether_or_not_a_flag_is_raised() -> None:
    assert decide(row(desired_status=DesiredStatus.PAUSED)).reasons == (why.PAUSED,)
    halted = {"block_all_entries": ("halted",)}
    assert "wanted" not in decide(row(), **halted).evidence.inputs
    assert decide(row(Flag.BUY_SIGNAL), **halted).evidence.inputs["wanted"] == "first_buy (rule 8): 2250"


def test_a_trim_flag_on_the_bar_blocks_entries() -> None:
    """Also one that leads to no trim, and only on the newest bar."""
    assert decide(row(Flag.BUY_SIGNAL, Flag.TRIM_FLAG)).reasons == (why.TRIM_FLAG,)
    earlier = signal(Flag.TRIM_FLAG, bar_ts=BAR - timedelta(minutes=15))
    assert decide(row(signals=(earlier, signal(Flag.BUY_SIGNAL)))).intent is not None


def with_mark_of(**special: Any) -> RowDecision:
    """A row that wants to buy, beside one that holds something with this mark."""
    return decide(row(Flag.BUY_SIGNAL), row(token="ETH", holding=held(), newest=None, signals=(), **special))


def test_a_mark_of_something_held_that_is_older_than_fifteen_minutes_blocks_entries_everywhere() -> None:
    assert with_mark_of(mark=mark(100, timedelta(minutes=15))).intent is not None
    assert with_mark_of(mark=mark(100, timedelta(minutes=15, seconds=1))).reasons == (why.STALE_MARKS,)
    assert with_mark_of(mark=None).reasons == (why.STALE_MARKS,)


def test_the_mark_of_a_flat_row_values_nothing() -> None:
    assert decide(row(Flag.BUY_SIGNAL, mark=None)).intent is not None


def test_a_cap_that_leaves_too_little_is_a_block_and_named_beside_the_others() -> None:
    poor = {"free_cash": {"hyperliquid/perps": Money("29.99")}}
    assert decide(row(Flag.BUY_SIGNAL), **poor).reasons == (why.FREE_CASH,)
    assert decide(row(Flag.BUY_SIGNAL, block_entries=("outage",)), **poor).reasons == (
        "block_entries:outage",
        why.FREE_CASH,
    )
    assert decide(row(Flag.BUY_SIGNAL), free_cash={}).reasons == (why.FREE_CASH,)


def test_a_row_that_the_engine_has_not_seen_holds() -> None:
    decision = decide(row(ready=False, newest=None, signals=(), planner_state=None))
    assert (decision.rule, decision.reasons, decision.state, decision.planner_state) == (
        Rule.BLOCKED,
        (why.DORMANT,),
        None,
        None,
    )


def test_an_archived_row_is_refused() -> None:
    with pytest.raises(ValueError, match="archived"):
        row(desired_status=DesiredStatus.ARCHIVED)


def test_a_bar_that_ends_after_the_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="after the cycle"):
        cycle(row(Flag.BUY_SIGNAL), cycle=BAR + timedelta(minutes=14))
