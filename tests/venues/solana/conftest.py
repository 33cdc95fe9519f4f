"""One simulated venue for the tests of a module; each test has wallets of its own."""

from collections.abc import Iterator

import pytest

from tests.venues.solana.simulated_solana import SimulatedSolana, simulated_solana


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatedSolana]:
    """Opened once per module."""
    with simulated_solana() as simulated:
        yield simulated


@pytest.fixture
def simulated(shared: SimulatedSolana) -> Iterator[SimulatedSolana]:
    """Remove faults and restore prices after each test."""
    before = dict(shared.market.prices)
    yield shared
    shared.faults.clear()
    shared.market.prices.update(before)
