"""One simulated venue for the tests of a module; each test has accounts of its own."""

from collections.abc import Iterator

import pytest

from tests.venues.hyperliquid.simulated_hyperliquid import SimulatedHyperliquid, simulated_hyperliquid


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatedHyperliquid]:
    with simulated_hyperliquid() as opened:
        yield opened


@pytest.fixture
def simulated(shared: SimulatedHyperliquid, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedHyperliquid]:
    """Remove faults and replaced handlers after each test, and let the book recover."""
    shared.advance(1)
    for kind, answer in shared.answers.items():
        monkeypatch.setitem(shared.answers, kind, answer)
    yield shared
    shared.faults.clear()
