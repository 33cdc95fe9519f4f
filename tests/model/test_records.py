"""What each domain type refuses, and what it derives."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.bar import Bar
from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.fill import Fill
from strandline.model.ids import derived_id, derived_trade_id, is_trade_id
from strandline.model.instrument import Instrument
from strandline.model.intent import Decision, ExecutionIntent, IntentStatus, entry_intent_id, exit_intent_id
from strandline.model.plan import ExecutionPlan, SkipExecution
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey, PositionStatus
from strandline.model.record import Record
from strandline.model.result import ExecutionResult, OrderStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag, Signal
from strandline.model.strand import GENESIS, Strand
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from tests.model import generated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def changed(record: Record, **changes: object) -> Record:
    """Build the record again with these fields."""
    return type(record)(**(msgspec.structs.asdict(record) | changes))


def refused(record: Record, match: str, **changes: object) -> None:
    """Check that the record with these fields is refused."""
    with pytest.raises(ValueError, match=match):
        changed(record, **changes)


class Box(Record, frozen=True, kw_only=True):
    """A record that may hold anything."""

    content: Any


UNSTORABLE = (
    float("nan"),
    float("inf"),
    "a\0",
    "\ud800",
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
)
STORABLE = (1.5, "a", "ä", 1, True, None, Rule.STOP, Money(3), NOW, NOW.replace(tzinfo=timezone(timedelta(0))), b"a")
scalars = st.sampled_from(STORABLE)
contents = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.dictionaries(st.text("aä"), inner))


def around(bad: object) -> st.SearchStrategy[Any]:
    """This value somewhere inside of others, which are of its type or not."""
    beside = st.lists(st.just(1.5) if isinstance(bad, float) else scalars, max_size=3)
    places = st.recursive(
        st.just(bad),
        lambda inner: (
            st.tuples(inner, beside).map(lambda both: (*both[1], both[0]))
            | st.tuples(inner, beside).map(lambda both: {"x": both[0]} | dict(zip("abc", both[1], strict=False)))
        ),
    )
    return places | st.just({bad: 1}) if isinstance(bad, str) else places


@given(contents)
def test_a_record_takes_what_can_be_stored(content: Any) -> None:
    assert Box(content=content).content == content


@pytest.mark.parametrize("bad", UNSTORABLE)
@given(data=st.data())
def test_a_record_refuses_what_cannot_be_stored_wherever_it_is(bad: object, data: st.DataObject) -> None:
    with pytest.raises(ValueError, match=r"Box\.content"):
        Box(content=data.draw(around(bad)))


def test_the_mapping_of_a_record_is_a_copy_that_nobody_changes() -> None:
    given = {"a": 1}
    box = Box(content=given)
    given["a"] = 2
    assert box.content == {"a": 1}
    with pytest.raises(TypeError, match="immutable"):
        box.content["a"] = 3


@given(generated.venues)
def test_a_venue_key_reads_back_in_any_case(venue: VenueKey) -> None:
    assert VenueKey.parse(f" {venue} ".upper()) == venue
    assert "/" not in venue.slug


@pytest.mark.parametrize(
    "text", ["", "hyperliquid", "/perps", "hyperliquid/", "a/b/c", "ä/b", "a b/c", "x" * 33 + "/b"]
)
def test_text_that_is_no_venue_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"venue key|token_chain/book_id"):
        VenueKey.parse(text)


@given(generated.instruments)
def test_an_instrument_has_a_name_a_lot_and_an_id(instrument: Instrument) -> None:
    refused(instrument, "instrument_id", instrument_id=0)
    refused(instrument, "token_contract", token_contract=" ")
    refused(instrument, "lot", lot=Quantity(0))
    refused(instrument, "min_notional", min_notional=Money(-1))


@given(generated.bars())
def test_a_bar_is_consistent(bar: Bar) -> None:
    assert bar.low <= bar.open <= bar.high
    assert bar.low <= bar.close <= bar.high
    assert bar.end - bar.ts == bar.timeframe.length
    refused(bar, "starts at", ts=bar.ts + timedelta(seconds=1))
    refused(bar, "low is above", low=max(bar.open, bar.close) * 2)
    refused(bar, "high is below", high=min(bar.open, bar.close) / 2)
    refused(bar, "volume", volume=-1.0)
    refused(bar, "gap", gap_detected=not bar.gap_detected)
    refused(bar, "finite", close=float("nan"))


@given(generated.signals())
def test_a_signal_has_a_reason_exactly_when_it_exits(signal: Signal) -> None:
    exits = Flag.EXIT_POSITION in signal.flags
    refused(signal, "exit_position has a reason", exit_reason=None if exits else "trend_over")
    refused(signal, "twice", flags=(Flag.BUY_FLAG, Flag.BUY_FLAG), exit_reason=None)


@given(generated.intents())
def test_an_intent_is_an_entry_in_money_or_an_exit_in_units(intent: ExecutionIntent) -> None:
    assert intent.side is (Side.SELL if intent.reduce_only else Side.BUY)
    refused(intent, "reduce-only", reduce_only=not intent.reduce_only)
    refused(intent, "notional", notional=None if intent.side is Side.BUY else Money(1))
    refused(intent, "quantity", quantity=None if intent.side is Side.SELL else Quantity(1))
    refused(intent, "A and E", appetite=1.5)
    refused(intent, "A and E", exit_urgency=-0.1)
    refused(intent, "size_frac", size_frac=Ratio("1.01"))
    refused(intent, "expires", expires_at=intent.cycle)
    refused(intent, "slippage", max_slippage_bps=-1)
    if intent.decision in (Decision.DEMOTE, Decision.TRAIL):
        refused(intent, "exit reason", exit_reason=None)


@given(generated.plans())
def test_a_plan_trades_something_in_time(plan: ExecutionPlan) -> None:
    assert plan.notional == plan.limit_price * plan.quantity
    refused(plan, "attempts", attempt=0)
    refused(plan, "trades something", quantity=Quantity(0))
    refused(plan, "reduce-only", reduce_only=not plan.reduce_only)
    refused(plan, "deadline", deadline=plan.prepared_at)


def test_a_skip_says_why() -> None:
    assert str(SkipExecution("market_closed")) == "market_closed"
    skip = SkipExecution("min_notional", "9.50 < 10")
    assert (skip.reason, str(skip)) == ("min_notional", "min_notional: 9.50 < 10")


@given(generated.fills())
def test_a_fill_belongs_to_an_order_or_to_another_cause(fill: Fill) -> None:
    assert fill.notional == fill.price * fill.quantity
    refused(fill, "quantity", quantity=Quantity(0))
    refused(fill, "order", order_id=None if fill.order_id is not None else UUID(int=1))


@given(generated.results())
def test_a_result_adds_up(result: ExecutionResult) -> None:
    refused(result, "add up", filled=result.filled + Quantity(1))
    refused(result, "average price", average_price=None if result.average_price else Price(1))
    wrong = OrderStatus.REJECTED if result.filled else OrderStatus.FILLED
    refused(result, "disagree", status=wrong)


def test_an_open_intent_and_an_unresolved_order_are_those_that_may_still_act() -> None:
    assert {status for status in IntentStatus if status.open} == set(IntentStatus) - {
        IntentStatus.SKIPPED,
        IntentStatus.DONE,
        IntentStatus.FAILED,
    }
    assert {status for status in OrderStatus if not status.resolved} == {
        OrderStatus.READY,
        OrderStatus.SENT,
        OrderStatus.UNKNOWN,
    }


@given(generated.positions)
def test_the_status_of_a_position_follows_from_its_fields(position: Position) -> None:
    if position.desired_status is not DesiredStatus.OPEN:
        assert position.status.value == position.desired_status.value
    elif position.holding.quantity:
        assert position.status is PositionStatus.ACTIVE
    else:
        assert position.status is (PositionStatus.WATCHLIST if position.ready else PositionStatus.DORMANT)


@given(generated.holdings())
def test_a_holding_has_an_entry_exactly_when_it_holds(holding: Holding) -> None:
    refused(holding, "average entry", average_entry=None if holding.quantity else Price(1))
    if holding.quantity:
        refused(holding, "first fill", first_fill_at=None)


@given(generated.strands())
def test_a_strand_starts_its_chain_or_follows_another(strand: Strand) -> None:
    assert strand.hash == changed(strand).hash  # type: ignore[attr-defined]
    assert strand.hash != changed(strand, code_version=strand.code_version + "+").hash  # type: ignore[attr-defined]
    refused(strand, "count from 1", seq=0)
    refused(strand, "genesis", seq=2)
    refused(strand, "genesis", previous="1" * 64)
    follows: Any = changed(strand, seq=2, previous=strand.hash)
    assert follows.previous == strand.hash != GENESIS


@given(generated.keys, generated.keys)
def test_a_position_has_the_same_id_everywhere(one: PositionKey, other: PositionKey) -> None:
    assert (one == other) == (one.position_id == other.position_id)


@given(generated.intents())
def test_an_intent_names_what_its_fills_are_counted_by(intent: ExecutionIntent) -> None:
    for rule, missing in (
        (Rule.FIRST_BUY, "attempt_id"),
        (Rule.S2_BUY, "state_since"),
        (Rule.FIRST_DIP, "trend_id"),
        (Rule.TRIM, "bar_count"),
        (Rule.TRIM, "level_id"),
    ):
        refused(changed(intent, rule=rule), missing, **{missing: None})
        assert changed(intent, rule=Rule.STOP, **{missing: None}).rule is Rule.STOP  # type: ignore[attr-defined]


def test_rules_keep_the_numbers_and_the_order_of_the_trading_rules() -> None:
    numbers = [rule.number for rule in Rule]
    assert numbers == sorted(numbers) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12]
    assert Rule("first_buy") is Rule.FIRST_BUY
    assert Rule.FIRST_BUY.label == "first_buy (rule 8)"


def test_ids_never_change() -> None:
    btc = PositionKey(venue=VenueKey.parse("hyperliquid/perps"), token_contract="BTC", timeframe=Timeframe.H1)
    assert str(btc.position_id) == "9f25b4ca-9f6b-5a21-892b-bf1a021fa32f"
    assert str(entry_intent_id(btc.position_id, 1, Rule.FIRST_BUY, NOW)) == "f6ef00a3-7303-5adb-9d86-da878e5c5d4f"
    assert str(exit_intent_id(btc.position_id, 1, Rule.STOP, NOW, 0)) == "27805fcf-87be-5241-9e6d-4a1137289592"


@given(st.lists(generated.texts, max_size=4), st.lists(generated.texts, max_size=4))
def test_parts_of_an_id_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (one == other) == (derived_id("x", *one) == derived_id("x", *other))


@given(generated.uuids, st.integers(0, 9), st.sampled_from(Rule), generated.instants, st.integers(0, 9))
def test_an_exit_has_an_id_per_attempt(position: UUID, trade: int, rule: Rule, bar: datetime, attempt: int) -> None:
    first = exit_intent_id(position, trade, rule, bar, attempt)
    assert first == exit_intent_id(position, trade, rule, bar, attempt)
    assert first != exit_intent_id(position, trade, rule, bar, attempt + 1)
    assert first != entry_intent_id(position, trade, rule, bar)


@given(st.lists(st.text() | st.integers()))
def test_derived_trade_ids_are_no_venues_ids(parts: list[str | int]) -> None:
    number = derived_trade_id(*parts)
    assert -(2**63) <= number < -(2**62)
    assert is_trade_id(number)
    assert number == derived_trade_id(*parts) != derived_trade_id(*parts, "more")


@pytest.mark.parametrize(
    ("number", "is_one"),
    [
        (0, True),
        (2**63 - 1, True),
        (2**63, False),
        (-1, False),
        (-(2**62), False),
        (-(2**63), True),
        (-(2**63) - 1, False),
    ],
)
def test_trade_ids(number: int, is_one: bool) -> None:
    assert is_trade_id(number) == is_one
