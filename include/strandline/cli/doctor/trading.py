"""Checks mode, strategy and credentials."""

import stat
from collections.abc import Iterator
from pathlib import Path

from strandline.cli.doctor.check import Check, failed, fine, warned
from strandline.configuration import settings_schema
from strandline.model.errors import ConfigurationError
from strandline.settings import PREFIX, Mode, Settings
from strandline.strategy import load_strategy


def settings(loaded: Settings) -> Iterator[Check]:
    """Check mode, strategy and keys, and that other users cannot read them."""
    venues = ", ".join(venue.name for venue in loaded.enabled_venues) or "no venue"
    yield fine("mode", f"{loaded.mode}: {_description(loaded.mode)}; {venues}")
    try:
        yield fine("strategy", f"{load_strategy(loaded).hash[:12]} from {loaded.strategy_file or 'strategy.toml'}")
    except ConfigurationError as error:
        yield failed("strategy", *str(error).rpartition("; ")[::2])
    yield _keys(loaded)
    yield from _exposed(loaded)


def _description(mode: Mode) -> str:
    return {
        Mode.SIM: "simulated venues on this machine",
        Mode.PAPER: "real market data, nothing is sent",
        Mode.TESTNET: "the venue's test network",
        Mode.LIVE: "real money",
    }[mode]


def _keys(loaded: Settings) -> Check:
    missing = [f"{PREFIX}{name.upper()}" for name in loaded.missing_keys]
    if missing:
        return warned(
            "credentials",
            f"{' and '.join(missing)} not here",
            "right on every machine but the worker that trades the venue; there nothing is sent without it",
        )
    needed = loaded.mode in {Mode.TESTNET, Mode.LIVE}
    return fine("credentials", "the keys of every enabled venue are here" if needed else "none needed")


def _exposed(loaded: Settings) -> Iterator[Check]:
    """Find files with secrets that other users of this machine may read."""
    secret_files = {setting.secret_file for setting in settings_schema().settings if setting.format.secret}
    variables = {setting.variable for setting in settings_schema().settings if setting.format.secret}
    files = [loaded.secrets_dir / name for name in sorted(secret_files)] if loaded.secrets_dir else []
    if loaded.env_file.is_file() and any(name in loaded.env_file.read_text(errors="replace") for name in variables):
        files.append(loaded.env_file)
    for file in files:
        if _readable_by_others(file):
            yield failed("credentials", f"{file} can be read by others on this machine", f"run: chmod 600 '{file}'")


def _readable_by_others(file: Path) -> bool:
    return file.is_file() and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
