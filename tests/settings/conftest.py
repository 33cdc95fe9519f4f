from pathlib import Path

import pytest

from tests.settings.isolation import SettingsDir, isolate


@pytest.fixture(autouse=True)
def settings_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SettingsDir:
    return isolate(monkeypatch, tmp_path)
