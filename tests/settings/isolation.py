"""Keeps the settings of whoever runs the tests out of them."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from strandline.configuration import settings_schema
from strandline.settings import PREFIX


@dataclass(frozen=True)
class Place:
    """Where a test may leave settings."""

    env_file: Path
    secrets: Path

    def put(self, text: str) -> str:
        """The text with `{here}` replaced by the test's own directory."""
        return text.replace("{here}", str(self.env_file.parent))


def isolate(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Place:
    """Clear every setting, and lead the settings to an empty `.env` and an empty directory of secrets."""
    seed_names = {setting.seed_name for setting in settings_schema().settings}
    for variable in list(os.environ):
        if variable.startswith(PREFIX) or variable in seed_names:
            monkeypatch.delenv(variable)
    # Resolved, because faults and settings name resolved paths.
    place = Place(directory.resolve() / ".env", directory.resolve() / "secrets")
    place.env_file.touch()
    place.secrets.mkdir()
    monkeypatch.setenv("STRANDLINE_ENV_FILE", str(place.env_file))
    monkeypatch.setenv("STRANDLINE_SECRETS_DIR", str(place.secrets))
    return place
