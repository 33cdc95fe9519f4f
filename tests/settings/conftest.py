from pathlib import Path

import pytest

from tests.settings.isolation import Place, isolate


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    return isolate(monkeypatch, tmp_path)
