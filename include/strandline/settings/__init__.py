"""The settings: every variable, what it may be, where its value came from, and what contradicts what."""

from strandline.settings.fields import Settings
from strandline.settings.loading import LoadedSettings, load_settings, load_settings_with_origins
from strandline.settings.names import SettingField, settings_fields
from strandline.settings.words import PREFIX, VENUE_KEYS, LogLevel, Mode, Source, VenueName

__all__ = [
    "PREFIX",
    "VENUE_KEYS",
    "LoadedSettings",
    "LogLevel",
    "Mode",
    "SettingField",
    "Settings",
    "Source",
    "VenueName",
    "load_settings",
    "load_settings_with_origins",
    "settings_fields",
]
