"""The ten success criteria that the position manager was asked for, each by its name."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from strandline.model.breaker import Breaker
from strandline.model.exact import Money, Price, Ratio
from strandline.model.intent import Decision, ExecutionIntent, ExitReason
from strandline.model.rule import Rule
from strandline.model.signal import EngineState, Flag
from strandline.pm import reasons as why
from strandline.pm.inputs import RowInputs
from strandline.pm.rounding import cents
from tests.conftest import Database
from tests.cycle.planning_database import CLOSE, PlanningDatabase, T, planning_database
from tests.pm.sample_inputs import T as NOW
from tests.pm.sample_inputs import decide, exit_signal, held, planner_state, row


@pytest.fixture
def planning(database: Database) -> Iterator[PlanningDatabase]:
    """A database in which one row can be planned."""
    with planning_database(database) as opened:
        yield opened


def decided(one: RowInputs) -> tuple[Rule, ExecutionIntent | None]:
    """The rule that decides about this row, and its intent."""
    decision = decide(one)
    return decision.rule, decision.intent


def test_1_a_buy_signal_without_a_position_is_executed() -> None:
    rule, intent = decided(row(Flag.BUY_SIGNAL))
    assert intent is not None
    assert (rule, intent.decision, intent.exit_reason) == (Rule.FIRST_BUY, Decision.ADD, None)


def test_2_a_buy_signal_with_a_position_is_skipped() -> None:
    decision = decide(row(Flag.BUY_SIGNAL, holding=held()))
    assert (decision.intent, decision.reasons) == (None, (why.ALREADY_POSITIONED,))


def test_3_a_sell_signal_with_a_position_closes_it() -> None:
    rule, intent = decided(row(holding=held(), signals=(exit_signal(ExitReason.TREND_OVER),)))
    assert intent is not None
    assert (rule, intent.decision, intent.quantity) == (Rule.TREND_END, Decision.DEMOTE, held().quantity)


def test_4_a_sell_signal_without_a_position_is_skipped() -> None:
    decision = decide(row(signals=(exit_signal(ExitReason.TREND_OVER),)))
    assert (decision.rule, decision.intent) == (Rule.HOLD, None)
    assert decision.evidence.rules_not_fired["trend_end"] == why.FLAT


@pytest.mark.parametrize("equity", [10_000, 100_000, 123_456])
def test_5_a_position_is_at_most_five_percent_of_the_portfolio(equity: int) -> None:
    """At an appetite of 1/2 the first buy takes 45 % of it, as the curve of sizes says."""
    decision = decide(row(Flag.BUY_SIGNAL), equity=Money(equity))
    assert decision.intent is not None
    allocation = Money(equity) * Ratio("0.05")
    assert Money(decision.evidence.inputs["allocation"]) == allocation
    assert decision.intent.notional == cents(allocation * Ratio("0.45"))


@pytest.mark.parametrize(("price", "sells"), [("92.01", False), ("92", True), ("50", True)])
def test_6_a_stop_loss_triggers_at_minus_eight_percent(price: str, sells: bool) -> None:
    rule, intent = decided(row(holding=held(entry=100), price=price))
    assert (rule is Rule.STOP, intent is not None) == (sells, sells)


@pytest.mark.parametrize(
    ("highest", "price", "sells"),
    [(112, "106.41", False), (112, "106.40", True), (120, "114", True), (111, "105", False)],
)
def test_7_a_take_profit_trails_five_percent_below_the_highest_from_twelve_percent_on(
    highest: int, price: str, sells: bool
) -> None:
    one = row(holding=held(entry=100), price=price, highest_close=Price(highest), planner_state=planner_state())
    rule, intent = decided(one)
    assert (rule is Rule.TRAILING_STOP, intent is not None) == (sells, sells)


@pytest.mark.parametrize(("age", "sells"), [(timedelta(days=14, seconds=-1), False), (timedelta(days=14), True)])
def test_8_a_time_stop_triggers_after_fourteen_days(age: timedelta, sells: bool) -> None:
    rule, intent = decided(row(holding=held(first_fill_at=NOW - age)))
    assert (rule is Rule.TIME_STOP, intent is not None) == (sells, sells)


@pytest.mark.parametrize(
    ("loss", "breaker"),
    [
        ({"day_start": Money(105_264)}, Breaker.DAILY_LOSS),
        ({"peak": Money(125_000)}, Breaker.DRAWDOWN),
        ({"losing_streak": 5}, Breaker.LOSING_STREAK),
    ],
)
def test_9_circuit_breakers_are_respected(loss: dict[str, object], breaker: Breaker) -> None:
    """They stop what buys and nothing that sells."""
    assert decide(row(Flag.BUY_SIGNAL)).intent is not None
    decision = decide(row(Flag.BUY_SIGNAL), **loss)
    assert (decision.intent, decision.reasons) == (None, (f"breaker:{breaker}",))
    assert decide(row(holding=held(), price=92), **loss).rule is Rule.STOP


def test_10_the_value_of_the_portfolio_is_tracked_exactly(planning: PlanningDatabase) -> None:
    """Cash of 100,000 on margin and 10 units that were bought at 100 and are worth 101."""
    planning.add_holding()
    planning.add_signal(state=EngineState.S1)
    planning.plan()
    (stored,) = planning.rows("SELECT equity, known FROM equity WHERE cycle_t = :t", t=T)
    assert (stored.equity, stored.known) == (100_000 + 10 * (CLOSE - 100), True)
