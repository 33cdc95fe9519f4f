"""The settings of this installation with those of every venue, and the configuration that each venue is given."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from strandline.model.exact import Money
from strandline.model.mode import Mode
from strandline.model.strategy import Execution
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettingKind, VenueSettings
from strandline.settings import LoadedSettings, Schema, Settings, build_settings
from strandline.settings import load_settings as load
from strandline.venues.config import VenueConfig
from strandline.venues.registry import venues


def settings_schema() -> Schema:
    """Return the schema of all settings."""
    return Schema(tuple(venue.settings for venue in venues()))


def load_settings(env_file: Path | None = None) -> Settings:
    """Read environment, `.env` and secret files; raise ConfigurationError with every fault, a line each.

    `env_file` replaces STRANDLINE_ENV_FILE.
    """
    return load_settings_with_origins(env_file).settings


def load_settings_with_origins(env_file: Path | None = None) -> LoadedSettings:
    """Load the settings, with the source of each value."""
    return load(settings_schema(), env_file)


def make_settings(**values: object) -> Settings:
    """Build settings from these values alone, checked like loaded ones."""
    return build_settings(settings_schema(), values)


def venue_configs(
    settings: Settings, limits: Execution, clock: Callable[[], datetime]
) -> Mapping[VenueKey, VenueConfig]:
    """The configuration of each venue that is on; raises `MissingSettingError` where an endpoint is unknown."""
    configs = {}
    for venue in settings.enabled_venues:
        configs[venue.key] = config = venue_config(settings, venue, limits, clock)
        for endpoint in venue.of_kind(VenueSettingKind.ENDPOINT):
            config.require(endpoint.name)
    return configs


def venue_config(
    settings: Settings, venue: VenueSettings, limits: Execution, clock: Callable[[], datetime]
) -> VenueConfig:
    """The configuration of one venue, on or off, with the settings that have a value."""
    texts = {setting.name: settings.venue_text(setting.name) for setting in venue.fields}
    values = {name: text for name, text in texts.items() if text is not None}
    addresses = [values[setting.name] for setting in venue.of_kind(VenueSettingKind.ADDRESS) if setting.name in values]
    return VenueConfig(
        clock=clock,
        limits=limits,
        values=values,
        address=addresses[0] if addresses else None,
        mainnet=settings.mode is Mode.LIVE,
        paper=settings.mode is Mode.PAPER,
        opening_cash=opening_cash(settings).get(venue.key),
    )


def opening_cash(settings: Settings) -> Mapping[VenueKey, Money]:
    """The cash of each venue that is on in sim and paper: its own share, or an even part of what the shares leave."""
    enabled = settings.enabled_venues
    shares = {venue.key: share for venue in enabled if (share := settings.initial_value(venue)) is not None}
    others = [venue.key for venue in enabled if venue.key not in shares]
    left = max(settings.initial_portfolio_value - sum(shares.values()), Decimal(0))
    even = (left / len(others)).quantize(Decimal("0.01")) if others else Decimal(0)
    return {venue.key: Money(shares.get(venue.key, even)) for venue in enabled}
