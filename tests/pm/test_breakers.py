"""The breakers: at which loss each trips, how long it stays, and that it stops entries and nothing else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.breaker import Breaker
from strandline.model.exact import Money
from strandline.model.intent import ExitReason
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.pm import plan
from strandline.pm import reasons as why
from strandline.pm.breakers import tripped
from tests.pm.sample_inputs import STRATEGY, cycle, decide, exit_signal, held, row, strategy_with

LIMITS = STRATEGY.breakers
moneys = st.decimals(min_value=Decimal("-1e6"), max_value=Decimal("1e7"), places=2).map(Money)
breakers_before = st.lists(st.sampled_from(Breaker), unique=True).map(lambda found: tuple(sorted(found)))


def found(equity: str | int, day_start: str | int = 100_000, peak: str | int = 100_000, streak: int = 0) -> object:
    """The breakers that trip."""
    inputs = cycle(row(), equity=Money(equity), day_start=Money(day_start), peak=Money(peak), losing_streak=streak)
    return tripped(inputs, LIMITS)


def test_a_daily_loss_of_five_percent_trips() -> None:
    assert found("95000.01") == ()
    assert found(95_000) == (Breaker.DAILY_LOSS,)
    assert found(950, day_start=1_000, peak=1_000) == (Breaker.DAILY_LOSS,)


def test_a_fall_to_eighty_percent_of_the_peak_trips() -> None:
    assert found("80000.01", day_start=80_001) == ()
    assert found(80_000, day_start=80_001) == (Breaker.DRAWDOWN,)


def test_five_losses_in_a_row_trip() -> None:
    assert found(100_000, streak=4) == ()
    assert found(100_000, streak=5) == found(100_000, streak=6) == (Breaker.LOSING_STREAK,)


def test_all_that_trip_are_named() -> None:
    assert found(70_000, streak=9) == tuple(Breaker)


def test_nothing_is_lost_where_nothing_was() -> None:
    assert found(0, day_start=0, peak=0) == ()
    assert found(-1, day_start=0, peak=0) == (Breaker.DAILY_LOSS, Breaker.DRAWDOWN)


def test_the_limits_are_the_strategys() -> None:
    inputs = cycle(row(), equity=Money(98_000), day_start=Money(100_000), losing_streak=2)
    assert tripped(inputs, LIMITS) == ()
    limits = strategy_with("breakers", max_daily_loss_pct=2.0, max_consecutive_losses=2).breakers
    assert tripped(inputs, limits) == (Breaker.DAILY_LOSS, Breaker.LOSING_STREAK)


@given(moneys, moneys, moneys, st.integers(0, 9), breakers_before)
def test_what_is_tripped_stays_whatever_the_equity_does(
    equity: Money, day_start: Money, peak: Money, streak: int, before: tuple[Breaker, ...]
) -> None:
    inputs = cycle(row(), equity=equity, day_start=day_start, peak=peak, losing_streak=streak, tripped_before=before)
    now = tripped(inputs, LIMITS)
    assert set(before) <= set(now)
    assert set(now) - set(before) <= set(tripped(cycle(row(), equity=equity, day_start=day_start, peak=peak,
                                                      losing_streak=streak), LIMITS))  # fmt: skip


@given(moneys, moneys, st.decimals(min_value=0, max_value=Decimal("1e6"), places=2).map(Money))
def test_a_deeper_loss_never_trips_less(equity: Money, reference: Money, more: Money) -> None:
    now = tripped(cycle(row(), equity=equity, day_start=reference, peak=reference), LIMITS)
    deeper = tripped(cycle(row(), equity=equity - more, day_start=reference, peak=reference), LIMITS)
    assert set(now) <= set(deeper)


def test_while_the_equity_is_unknown_nothing_new_trips_and_nothing_is_bought() -> None:
    inputs = cycle(row(Flag.BUY_SIGNAL), equity=None, peak=Money(100_000), tripped_before=(Breaker.DRAWDOWN,))
    planned = plan(inputs, STRATEGY)
    assert planned.breakers == (Breaker.DRAWDOWN,)
    assert planned.decisions[0].reasons == ("breaker:drawdown", why.NO_EQUITY)


@pytest.mark.parametrize("missing", ["day_start", "peak"])
def test_without_what_it_is_compared_with_an_equity_is_as_good_as_unknown(missing: str) -> None:
    decision = decide(row(Flag.BUY_SIGNAL), equity=Money(100_000), **{missing: None})
    assert (decision.intent, decision.reasons) == (None, (why.NO_EQUITY,))


@pytest.mark.parametrize("breaker", Breaker)
def test_a_breaker_stops_every_entry_and_is_named(breaker: Breaker) -> None:
    for one in (row(Flag.BUY_SIGNAL), row(Flag.BUY_SIGNAL, token="ETH")):
        decision = decide(one, tripped_before=(breaker,))
        assert (decision.rule, decision.intent, decision.reasons) == (Rule.BLOCKED, None, (f"breaker:{breaker}",))


@pytest.mark.parametrize("breaker", Breaker)
def test_a_breaker_stops_no_exit_and_no_trim(breaker: Breaker) -> None:
    leaving = row(holding=held(), signals=(exit_signal(ExitReason.TREND_OVER),))
    assert decide(leaving, tripped_before=(breaker,)).rule is Rule.TREND_END
    trimming = row(Flag.TRIM_FLAG, holding=held(entry=90))
    assert decide(trimming, tripped_before=(breaker,)).rule is Rule.TRIM
