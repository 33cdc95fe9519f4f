"""Builds checked settings from values."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import SecretStr

from strandline.model.errors import ConfigurationError
from strandline.model.setting import InvalidValueError, Setting
from strandline.settings.fields import Settings
from strandline.settings.schema import Schema
from strandline.settings.validation import VariableNames, find_conflicts


class Checked(NamedTuple):
    """The settings, built from the valid values, and what is wrong with the others."""

    settings: Settings
    invalid: Mapping[str, InvalidValueError]
    conflicts: tuple[str, ...]


def check_values(schema: Schema, values: Mapping[str, object]) -> Checked:
    """Convert the values, given by their settings' names, and look for contradictions."""
    accepted: dict[str, Any] = {}
    invalid: dict[str, InvalidValueError] = {}
    for name, value in values.items():
        try:
            accepted[name] = read_value(schema.by_name[name], value)
        except InvalidValueError as error:
            invalid[name] = error
    core = {name: value for name, value in accepted.items() if name not in schema.venue_names}
    own = {name: value for name, value in accepted.items() if name in schema.venue_names}
    settings = Settings(**core, venues=schema.venues, venue_values=own, given=frozenset(accepted))
    return Checked(settings, invalid, tuple(find_conflicts(settings)))


def build_settings(schema: Schema, values: Mapping[str, object]) -> Settings:
    """Build settings in code, checked like loaded ones; None leaves a setting at its default."""
    unknown = values.keys() - schema.by_name.keys()
    if unknown:
        raise ConfigurationError([f"{name} is not a setting" for name in sorted(unknown)])
    checked = check_values(schema, {name: value for name, value in values.items() if value is not None})
    faults = [f"{schema.by_name[name].variable} is {error}" for name, error in checked.invalid.items()]
    faults += [line.format_map(VariableNames()) for line in checked.conflicts]
    if faults:
        raise ConfigurationError(faults)
    return checked.settings


def read_value(setting: Setting, value: object) -> object:
    """Convert a value to its type; a secret is wrapped, so that no repr shows it."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    parsed = setting.format.read(text)
    return SecretStr(str(parsed)) if setting.format.secret else parsed
