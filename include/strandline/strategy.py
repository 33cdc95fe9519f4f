"""Loads the trading parameters: Strandline's defaults, overridden by the user's file and settings."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from strandline.model.errors import ConfigurationError
from strandline.model.strategy import Strategy
from strandline.settings import PREFIX, Settings

DEFAULT_FILE: Final = Path(__file__).with_name("strategy.toml")

_OVERRIDES: Final = {
    "max_position_pct": "allocation",
    "max_daily_loss_pct": "breakers",
    "max_drawdown_pct": "breakers",
    "max_consecutive_losses": "breakers",
}
"""Settings that override the parameter of the same name, and its section."""


def load_strategy(settings: Settings) -> Strategy:
    """Load the parameters in force; an error names the file, the parameter and the allowed values."""
    user_file = settings.strategy_file
    values = _read(DEFAULT_FILE)
    if user_file is not None:
        values = _merged(values, _read(user_file))
    overridden = [name for name in _OVERRIDES if getattr(settings, name) is not None]
    for name in overridden:
        value = getattr(settings, name)
        values = _merged(values, {_OVERRIDES[name]: {name: value if isinstance(value, int) else float(value)}})
    try:
        return msgspec.convert(values, Strategy)
    except msgspec.ValidationError as error:
        sources = [str(user_file or DEFAULT_FILE.name), *(f"{PREFIX}{name.upper()}" for name in overridden)]
        raise ConfigurationError([f"{' with '.join(sources)}: {_describe(error)}"]) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{file} cannot be read ({error.strerror}); let this user read it"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{file} is not UTF-8 text; save it as UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{file} is not TOML: {error}; see strategy.toml for the form"]) from error


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, section by section; the weights of timeframes are merged like any section."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def _describe(error: msgspec.ValidationError) -> str:
    problem, _, place = str(error).partition(" - at ")
    where = place.strip("`").removeprefix("$").lstrip(".")
    return f"{where}: {problem}; correct it, or leave it out" if where else f"{problem}; correct it, or leave it out"
