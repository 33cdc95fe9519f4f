"""Settings: every variable, its format, the source of its value, and contradictions between them.

Venues declare settings of their own, which `strandline.configuration` passes in.
"""

from strandline.model.mode import Mode
from strandline.model.setting import PREFIX
from strandline.settings.building import build_settings
from strandline.settings.constants import LogLevel, Source
from strandline.settings.fields import Settings
from strandline.settings.loading import LoadedSettings, load_settings
from strandline.settings.schema import Schema

__all__ = [
    "PREFIX",
    "LoadedSettings",
    "LogLevel",
    "Mode",
    "Schema",
    "Settings",
    "Source",
    "build_settings",
    "load_settings",
]
