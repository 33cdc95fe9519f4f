"""The venue that a module's tests share; each has accounts of its own."""

from collections.abc import Iterator

import pytest

from tests.venues.hyperliquid.box import Box, open_box


@pytest.fixture(scope="module")
def shared() -> Iterator[Box]:
    with open_box() as opened:
        yield opened


@pytest.fixture
def box(shared: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """Without faults, telling the truth, and with a fresh book."""
    shared.later(1)
    for kind, answer in shared.answers.items():
        monkeypatch.setitem(shared.answers, kind, answer)
    yield shared
    shared.faults.clear()
