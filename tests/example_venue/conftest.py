import pytest

from strandline.venues import registry
from tests.example_venue.bazaar import BAZAAR


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line that adds a venue."""
    monkeypatch.setattr(registry, "VENUES", [*registry.VENUES, BAZAAR])
