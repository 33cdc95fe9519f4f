"""One town for all tests of a file: each test has wallets of its own, and leaves no faults behind."""

from collections.abc import Iterator

import pytest

from tests.venues.solana.town import Town, open_town


@pytest.fixture(scope="module")
def standing_town() -> Iterator[Town]:
    """Opened once."""
    with open_town() as town:
        yield town


@pytest.fixture
def town(standing_town: Town) -> Iterator[Town]:
    """As it was at the beginning, but for the time."""
    before = dict(standing_town.market.prices)
    yield standing_town
    standing_town.faults.clear()
    standing_town.market.prices.update(before)
