"""Keeps the tests apart from the settings of the machine."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from strandline.configuration import settings_schema
from strandline.settings import PREFIX


@dataclass(frozen=True)
class SettingsDir:
    """An empty `.env` and an empty directory of secrets, for the test to fill."""

    env_file: Path
    secrets: Path

    def fill_in(self, text: str) -> str:
        """The text with `{here}` replaced by the test's own directory."""
        return text.replace("{here}", str(self.env_file.parent))


def isolate(monkeypatch: pytest.MonkeyPatch, directory: Path) -> SettingsDir:
    """Clear every setting, and point to an empty `.env` and an empty directory of secrets."""
    seed_names = {setting.seed_name for setting in settings_schema().settings}
    for variable in list(os.environ):
        if variable.startswith(PREFIX) or variable in seed_names:
            monkeypatch.delenv(variable)
    # Resolved, because faults and settings name resolved paths.
    settings_dir = SettingsDir(directory.resolve() / ".env", directory.resolve() / "secrets")
    settings_dir.env_file.touch()
    settings_dir.secrets.mkdir()
    monkeypatch.setenv("STRANDLINE_ENV_FILE", str(settings_dir.env_file))
    monkeypatch.setenv("STRANDLINE_SECRETS_DIR", str(settings_dir.secrets))
    return settings_dir
