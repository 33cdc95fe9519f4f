"""Prices are rounded to their grid."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Price
from strandline_sim.market.price_grid import PriceGrid
from strandline_sim.market.spec import SymbolSpec, perp
from tests.strandline_sim.market.sample_markets import is_on_grid

grids = st.builds(PriceGrid, st.integers(0, 8), st.sampled_from([None, 3, 5]))


def valid(grid: PriceGrid, units: int, significant: int = 5) -> bool:
    price = grid.price(units)
    return price == int(price) or len(price.normalize().as_tuple().digits) <= significant


@given(st.integers(0, 6), st.integers(1, 10**12))
def test_rounding_follows_the_rule_of_significant_figures(decimals: int, units: int) -> None:
    grid = PriceGrid(decimals, 5)
    down, up = grid.down(units), grid.up(units)
    assert down <= units <= up
    assert valid(grid, down)
    assert valid(grid, up)
    if valid(grid, units):
        assert down == units == up


@given(grids, st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_nearest_price_is_one_of_the_neighbours_and_keeps_the_order(grid: PriceGrid, one: int, other: int) -> None:
    low, high = sorted((one, other))
    nearest = grid.nearest(np.array([low, high], dtype=float)).tolist()
    assert nearest[0] <= nearest[1]
    assert nearest[0] in (grid.down(low), grid.up(low))
    assert grid.nearest(np.array(nearest, dtype=float)).tolist() == nearest


@pytest.mark.parametrize(
    ("decimals", "price", "valid"),
    [
        (4, "123456", True),
        (4, "83770", True),
        (4, "0.0001", True),
        (4, "150.12", True),
        (1, "83770.5", False),
        (4, "150.125", False),
        (1, "0.25", False),
        (2, "0", False),
    ],
)
def test_a_price_has_five_figures_or_is_whole(decimals: int, price: str, valid: bool) -> None:
    assert is_on_grid(perp("X", "1000", 6 - decimals), Decimal(price)) is valid


def test_an_invalid_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="units of its last decimal"):
        perp("X", "0.0001", 2)
    with pytest.raises(ValueError, match="fewer size_decimals"):
        SymbolSpec(symbol="X", start_price=Price("0.000001"), price_decimals=12, size_decimals=9)
    with pytest.raises(ValueError, match="needs a leader"):
        perp("X", "10", 2, correlation=0.5)
