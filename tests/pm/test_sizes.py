"""Curves, and how much is bought and sold along them."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.position import Holding
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.pm import reasons as why
from strandline.pm.appetite import AppetiteScores
from strandline.pm.context import RowContext
from strandline.pm.curve import value_at
from strandline.pm.rounding import percent, ratio, share
from strandline.pm.sizes import entry_notional, entry_share, trim_quantity, trim_share
from tests.pm.sample_inputs import STRATEGY, T, decide, held, row, strategy_with

SIZES = STRATEGY.sizes
scores = st.floats(0, 1)
holdings = st.builds(
    held,
    st.decimals("0.001", 100, places=3).map(str),
    extracted=st.integers(0, 4000).map(Money),
)


def context(holding: Holding, exit_urgency: float = 0.5, remaining: str = "5000", lot: str = "0.001") -> RowContext:
    """A row with this E."""
    return RowContext(
        row=row(holding=holding, lot=lot),
        cycle=T,
        strategy=STRATEGY,
        strategy_hash="",
        scores=AppetiteScores(appetite=0.5, exit_urgency=exit_urgency, terms={}, market={}, neutral=()),
        equity=Money(100_000),
        allocation=Money(5000),
        remaining=Money(remaining),
    )


def test_a_curve_passes_through_its_points_and_is_flat_outside() -> None:
    for curve in (SIZES.entry, SIZES.trim, SIZES.trim_damping):
        assert [value_at(curve, x) for x, _ in curve] == pytest.approx([y for _, y in curve], abs=1e-12)
        assert value_at(curve, curve[0][0] - 1) == curve[0][1]
        assert value_at(curve, curve[-1][0] + 1) == curve[-1][1]
    assert value_at(SIZES.entry, 0.5) == pytest.approx(0.45)
    assert value_at(SIZES.trim_damping, 2.0) == pytest.approx(0.2)


@given(scores, scores, st.sampled_from([1.0, SIZES.s2_factor]))
def test_more_appetite_never_buys_less(a: float, b: float, factor: float) -> None:
    ctx = context(Holding())
    less, more = (entry_notional(ctx, entry_share(appetite, factor, STRATEGY)) for appetite in sorted((a, b)))
    assert less <= more <= ctx.remaining * Ratio("0.9")


@given(st.decimals(0, 5000, places=2), st.decimals(0, 5000, places=2), scores)
def test_more_room_never_buys_less(a: object, b: object, appetite: float) -> None:
    part = entry_share(appetite, 1.0, STRATEGY)
    less, more = sorted((Money(str(a)), Money(str(b))))
    bought = [entry_notional(context(Holding(), remaining=str(room)), part) for room in (less, more)]
    assert bought[0] <= bought[1]


@given(holdings, scores, scores)
def test_more_urgency_never_sells_less(holding: Holding, a: float, b: float) -> None:
    less, more = (context(holding, urgency) for urgency in sorted((a, b)))
    assert trim_share(less) <= trim_share(more) <= Ratio(str(SIZES.trim_max))
    sold = [trim_quantity(ctx, trim_share(ctx), Price(100)) for ctx in (less, more)]
    assert sold[0] <= sold[1] <= holding.quantity


def test_the_more_was_extracted_the_less_a_trim_sells() -> None:
    shares = [
        trim_share(context(held(invested=Money(100), extracted=Money(extracted)), 1.0))
        for extracted in (0, 50, 75, 100, 300, 900)
    ]
    assert shares == [Ratio(part) for part in ("0.6", "0.6", "0.39", "0.18", "0.06", "0.06")]
    assert all(less >= more for less, more in pairwise(shares))


def test_a_trim_never_sells_more_than_its_maximum() -> None:
    """The curve alone would sell 0.6."""
    ctx = replace(context(held(), 1.0), strategy=strategy_with("sizes", trim_max=0.3))
    assert trim_share(ctx) == Ratio("0.3")


def test_a_trim_that_would_leave_too_little_sells_all_and_stays_a_trim() -> None:
    """A half of 0.3 lots at 100 would leave 15, which is 1.5 × 10: enough. Of 0.298 it leaves 14.9."""
    half = Ratio("0.5")
    enough, dust = (context(held(quantity)) for quantity in ("0.3", "0.298"))
    assert trim_quantity(enough, half, Price(100)) == Quantity("0.15")
    assert trim_quantity(dust, half, Price(100)) == Quantity("0.298")
    decision = decide(row(Flag.TRIM_FLAG, holding=held("0.18", entry=90)))
    assert decision.intent is not None
    assert decision.intent.quantity == Quantity("0.18")
    assert (decision.rule, decision.intent.size_frac) == (Rule.TRIM, Ratio(1))
    assert decision.intent.reasons == ("trim_flag", why.DUST_RULE)


def test_a_trim_that_the_venue_would_not_take_is_left_alone() -> None:
    """A tenth of 0.99 is 9.9, below the minimum of 10."""
    assert trim_quantity(context(held("0.99")), Ratio("0.1"), Price(100)) == Quantity(0)
    assert trim_quantity(context(held("1")), Ratio("0.1"), Price(100)) == Quantity("0.1")
    assert trim_quantity(context(held("5"), lot="1"), Ratio("0.1"), Price(100)) == Quantity(0)
    left_alone = decide(row(Flag.TRIM_FLAG, holding=held("0.4", entry=90)))
    assert left_alone.evidence.rules_not_fired["trim"] == why.TRIM_TOO_SMALL


def test_no_urgency_trims_nothing() -> None:
    assert trim_quantity(context(held()), trim_share(context(held(), 0.0)), Price(100)) == Quantity(0)


@given(st.floats(0.01, 100))
def test_percentages_keep_the_digits_that_were_written(pct: float) -> None:
    assert percent(pct) * Ratio(100) == Ratio.from_float(pct)


def test_a_score_becomes_exact_after_rounding() -> None:
    assert ratio(0.1 + 0.2) == Ratio("0.3")


@given(st.decimals(0, 10**9, places=4), st.lists(st.decimals(0, 9, places=3), min_size=1, max_size=6))
def test_shares_never_add_up_to_more_than_the_whole(whole: object, parts: list[object]) -> None:
    weights = [Ratio(str(part)) for part in parts]
    total = sum(weights, Ratio(0))
    if total:
        shares = [share(Money(str(whole)), weight, total) for weight in weights]
        assert sum(shares, Money(0)) <= Money(str(whole))
        assert Money(str(whole)) - sum(shares, Money(0)) <= Money("0.01") * Ratio(len(shares))
