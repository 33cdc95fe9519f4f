"""Entries against the caps: cut, in order, and with what is open already."""

from typing import Any

import pytest

from strandline.model.exact import Money
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.position import DesiredStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.pm import plan
from strandline.pm import reasons as why
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import CycleInputs, RowInputs, TradeHistory
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.pm.sample_inputs import STRATEGY, cycle, decide, held, intents, mark, open_intent, row, signal


def entries(inputs: CycleInputs) -> dict[str, ExecutionIntent]:
    """The intents, by token."""
    return {one.token_contract: one for one in intents(plan(inputs, STRATEGY))}


def wants(token: str, failed: int = 0, flag: Flag = Flag.BUY_SIGNAL, **special: Any) -> RowInputs:
    """A row that wants 2,250 of S1, or 1,125 of S2, or less after failed attempts."""
    state = EngineState.S1 if flag is Flag.BUY_SIGNAL else EngineState.S2
    newest = signal(flag, state=state)
    return row(token=token, signals=(newest,), history=TradeHistory(failed_attempts=failed), **special)


def cash(amount: str) -> dict[str, Money]:
    """The free cash of Hyperliquid."""
    return {str(HYPERLIQUID_PERPS): Money(amount)}


def test_an_entry_is_cut_to_what_a_cap_leaves_and_says_so() -> None:
    intent = entries(cycle(wants("BTC"), free_cash=cash("1000.019")))["BTC"]
    assert (intent.notional, intent.reasons) == (Money("1000.01"), ("buy_signal", why.FREE_CASH))
    just_enough = entries(cycle(wants("BTC"), free_cash=cash("2250")))["BTC"]
    assert (just_enough.notional, just_enough.reasons) == (Money(2250), ("buy_signal",))


def test_what_is_left_goes_to_the_lower_rule_then_the_higher_appetite_then_the_lower_id() -> None:
    equal = sorted((wants(token) for token in "BDE"), key=lambda one: str(one.position.position_id))
    names = [one.position.key.token_contract for one in equal]
    rows = (wants("C", flag=Flag.BUY_FLAG), wants("A", failed=1), *reversed(equal))
    scarce = entries(cycle(*rows, free_cash=cash("5000")))
    assert {name: one.notional for name, one in scarce.items()} == {
        names[0]: Money(2250),
        names[1]: Money(2250),
        names[2]: Money(500),
    }
    assert set(entries(cycle(*rows, free_cash=cash("8800")))) == {*names, "A"}
    assert set(entries(cycle(*rows, free_cash=cash("10000")))) == {*names, "A", "C"}


@pytest.mark.parametrize("status", [status for status in IntentStatus if status.open])
def test_open_entries_have_taken_their_part_of_everything(status: IntentStatus) -> None:
    open_ = wants("ETH", open_intents=(open_intent(Side.BUY, status, "4000"),))
    assert entries(cycle(wants("BTC"), open_, free_cash=cash("5000")))["BTC"].notional == Money(1000)
    assert decide(open_).evidence.inputs["remaining"] == "1000"


def test_an_exit_frees_nothing_in_its_own_cycle() -> None:
    """It may have been filled."""
    sold = row(token="ETH", holding=held(quantity=490), price=90, mark=mark(90))
    assert entries(cycle(wants("BTC"), sold))["BTC"].notional == Money(1000)
    assert set(entries(cycle(wants("BTC"), sold))) == {"BTC", "ETH"}


def beside(venue: VenueKey, quantity: int) -> RowDecision:
    """A row that wants 2,250, beside one that holds this many at 100."""
    return decide(wants("BTC"), row(token="ETH", venue=venue, holding=held(quantity=quantity), newest=None, signals=()))


@pytest.mark.parametrize(
    ("venue", "quantity", "reason"),
    [(HYPERLIQUID_PERPS, 490, why.CAP_VENUE), (SOLANA_ONCHAIN, 790, why.CAP_TOTAL)],
)
def test_half_of_equity_per_venue_and_eighty_percent_in_all(venue: VenueKey, quantity: int, reason: str) -> None:
    cut = beside(venue, quantity).intent
    assert cut is not None
    assert (cut.notional, cut.reasons) == (Money(1000), ("buy_signal", reason))
    full = beside(venue, quantity + 10)
    assert (full.rule, full.reasons, full.intent) == (Rule.BLOCKED, (reason,), None)


def test_the_cap_of_one_venue_is_not_another_ones() -> None:
    decision = beside(SOLANA_ONCHAIN, 500)
    assert decision.intent is not None
    assert decision.intent.reasons == ("buy_signal",)


@pytest.mark.parametrize(
    "idle", [{"ready": False}, {"desired_status": DesiredStatus.PAUSED}], ids=["dormant", "paused"]
)
def test_a_row_that_may_not_trade_now_strands_nothing_of_its_token(idle: dict[str, Any]) -> None:
    """S1 takes 0.45 of the allocation: of all of the token's 5,000, or of the quarter that its weight is."""
    one = row(Flag.BUY_SIGNAL, weight="0.1")
    other = row(timeframe=Timeframe.H1, weight="0.3", newest=None, signals=(), **idle)
    trading = row(timeframe=Timeframe.H1, weight="0.3", newest=None, signals=())
    assert entries(cycle(one, other))["BTC"].notional == Money(2250)
    assert entries(cycle(one, trading))["BTC"].notional == Money("562.50")


def test_all_caps_that_leave_too_little_are_named() -> None:
    assert beside(HYPERLIQUID_PERPS, 800).reasons == (why.CAP_VENUE, why.CAP_TOTAL)


def test_a_token_that_rose_towards_its_cap_gets_only_what_is_left_of_it() -> None:
    """46 bought at 50 are worth 4,600 of 5,000; at cost there would be more room than is wanted."""
    risen = decide(row(holding=held(quantity=46, entry=50), signals=(signal(Flag.BUY_FLAG, state=EngineState.S2),)))
    assert risen.intent is not None
    assert (risen.intent.notional, risen.intent.reasons) == (Money(400), ("buy_flag", why.CAP_TOKEN))
