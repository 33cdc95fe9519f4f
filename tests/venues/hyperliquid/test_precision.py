"""Limit prices are valid at the venue, and never worse than the budget."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Price, Quantity
from strandline.model.side import Side
from strandline.venues.hyperliquid.precision import limit_price, lot
from strandline_sim.hyperliquid.numbers import is_size, is_tick

sides = st.sampled_from(Side)
decimals = st.integers(0, 6)
budgets = st.integers(0, 10_000)
references = st.one_of(
    st.decimals(Decimal("0.000001"), Decimal("0.01"), places=9),
    st.decimals(Decimal("0.01"), Decimal(100), places=7),
    st.decimals(Decimal(100), Decimal(10_000_000), places=3),
    st.floats(1e-6, 1e9).map(lambda value: Decimal(repr(value))),
).map(Price)


def budget_of(reference: Price, bps: int, side: Side) -> Decimal:
    away = Decimal(bps) / 10_000
    return reference.decimal * (1 + away if side is Side.BUY else 1 - away)


@given(references, budgets, sides, decimals)
def test_a_limit_is_valid_and_within_the_budget(reference: Price, bps: int, side: Side, sz_decimals: int) -> None:
    limit, budget = limit_price(reference, bps, side, sz_decimals), budget_of(reference, bps, side)
    if limit is None:
        tick = Decimal(1).scaleb(-(6 - sz_decimals))
        assert budget < tick if side is Side.BUY else budget == 0
        return
    assert is_tick(limit.decimal, sz_decimals)
    assert limit.decimal <= budget if side is Side.BUY else limit.decimal >= budget


@given(references, budgets, sides, decimals)
def test_a_limit_is_within_one_tick_of_the_budget(reference: Price, bps: int, side: Side, sz_decimals: int) -> None:
    """There is no valid price between it and the budget."""
    limit, budget = limit_price(reference, bps, side, sz_decimals), budget_of(reference, bps, side)
    if limit is not None:
        step = Decimal(1).scaleb(max(-(6 - sz_decimals), min(0, budget.adjusted() - 4)))
        assert abs(limit.decimal - budget) < step


@given(references, decimals)
def test_a_valid_price_is_unchanged(reference: Price, sz_decimals: int) -> None:
    valid = limit_price(reference, 0, Side.BUY, sz_decimals)
    if valid is not None:
        assert limit_price(valid, 0, Side.BUY, sz_decimals) == valid == limit_price(valid, 0, Side.SELL, sz_decimals)


def test_whole_numbers_may_have_more_figures() -> None:
    assert limit_price(Price("123456.7"), 0, Side.BUY, 0) == Price(123456)
    assert limit_price(Price("123456.7"), 0, Side.SELL, 0) == Price(123457)
    assert limit_price(Price("99999.5"), 0, Side.SELL, 5) == Price(100000)
    assert limit_price(Price("9.99999"), 0, Side.SELL, 0) == Price(10)


@given(st.decimals(0, 1_000_000, places=9).map(Quantity), decimals)
def test_lots(quantity: Quantity, sz_decimals: int) -> None:
    rounded = quantity.in_lots(lot(sz_decimals))
    assert is_size(rounded.decimal, sz_decimals)
    assert rounded <= quantity
