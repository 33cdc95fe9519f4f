"""Airflow's configuration, read as Airflow reads it (environment before airflow.cfg) but without importing Airflow."""

import base64
import binascii
import configparser
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from strandline.cli.doctor.check import Check, Outcome, failed, fine, skipped, warned
from strandline.settings import Settings

CHECKOUT: Final = Path(__file__).parents[4]

_SECRETS: Final = {("api_auth", "jwt_secret"): 64, ("api", "secret_key"): 32, ("core", "fernet_key"): 0}
"""Secrets with their minimum number of bytes; the Fernet key has a format of its own."""

_TIMEOUTS: Final = {
    ("scheduler", "task_instance_heartbeat_timeout"): 90,
    ("scheduler", "orphaned_tasks_check_interval"): 30,
    ("scheduler", "task_queued_timeout"): 60,
    ("core", "default_task_retry_delay"): 5,
}
"""Timeouts with their maximum in seconds: with more, recovery takes longer than a cycle (Airflow's defaults: 300+)."""

_SLOTS: Final = 2
"""The slots of a venue's pool: one for the live cycle, one for a frozen task of the cycle before."""


@dataclass(frozen=True)
class Configuration:
    """Airflow's options and their sources."""

    environment: Mapping[str, str]
    file: Mapping[tuple[str, str], str]
    path: Path | None

    @property
    def exists(self) -> bool:
        """Whether Airflow is configured here."""
        return self.path is not None or any(name.startswith("AIRFLOW__") for name in self.environment)

    def get(self, section: str, option: str) -> str | None:
        """Return the value in effect."""
        return self.environment.get(variable(section, option)) or self.file.get((section, option))

    def computed(self, section: str, option: str) -> bool:
        """Whether a command or a secrets backend supplies it; neither is run here."""
        return any(f"{variable(section, option)}_{suffix}" in self.environment for suffix in ("CMD", "SECRET"))

    def both(self, section: str, option: str) -> tuple[str | None, str | None]:
        """Return the values in the environment and in the file."""
        return self.environment.get(variable(section, option)), self.file.get((section, option))


def variable(section: str, option: str) -> str:
    """Return the environment variable of an option."""
    return f"AIRFLOW__{section.upper()}__{option.upper()}"


def configuration() -> Configuration:
    """Read this process's environment and the airflow.cfg that it points to."""
    home = os.environ.get("AIRFLOW_HOME")
    path = Path(os.environ.get("AIRFLOW_CONFIG") or Path(home or "~/airflow").expanduser() / "airflow.cfg")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    # In airflow.cfg a percent sign is doubled.
    values = {
        (section, option): parser[section][option].replace("%%", "%")
        for section in parser.sections()
        for option in parser[section]
    }
    return Configuration(os.environ, values, path if home or path.is_file() else None)


def airflow(configured: Configuration) -> Iterator[Check]:
    """Check the options that the pipeline needs: a line for each fault, or one if there is none."""
    if not configured.exists:
        yield skipped("airflow", "no Airflow is configured here: neither AIRFLOW_HOME nor AIRFLOW__ variables are set")
        return
    faults = [
        *_database(configured),
        *_folders(configured),
        *_secrets(configured),
        *_api(configured),
        *_timeouts(configured),
    ]
    yield from faults or [fine("airflow", f"configured in {configured.path or 'the environment'}")]


def pools(configured: Configuration, settings: Settings) -> Check:
    """Check that each enabled venue has a pool of two slots.

    A task whose pool is missing is never scheduled, without an error. With a single slot a frozen task keeps the next
    cycle from its venue.
    """
    url = configured.get("database", "sql_alchemy_conn") if configured.exists else None
    if url is None:
        return skipped("pools", "they are in Airflow's database, which is not configured here")
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            slots = {row.pool: row.slots for row in connection.execute(text("SELECT pool, slots FROM slot_pool"))}
    except (SQLAlchemyError, ArgumentError, ImportError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        return failed("pools", f"Airflow's database did not answer ({reason})", "start it, and run: airflow db migrate")
    wanted = sorted(key.slug for key in settings.enabled_keys)
    if missing := [pool for pool in wanted if pool not in slots]:
        return failed("pools", f"{', '.join(missing)} missing", f"run: {_set_pools(missing)}")
    # Airflow's -1 is no limit.
    if small := [pool for pool in wanted if 0 <= slots[pool] < _SLOTS]:
        found = f"{', '.join(f'{pool} has {slots[pool]}' for pool in small)} of the {_SLOTS} slots that a venue needs"
        return warned(
            "pools", found, f"a frozen task would keep the next cycle from its venue; run: {_set_pools(small)}"
        )
    return fine("pools", ", ".join(sorted(slots)))


def _set_pools(names: Sequence[str]) -> str:
    return " && ".join(f'airflow pools set {name} {_SLOTS} "orders of one venue"' for name in names)


def _database(configured: Configuration) -> Iterator[Check]:
    if configured.computed("database", "sql_alchemy_conn"):
        return
    url = configured.get("database", "sql_alchemy_conn") or "sqlite"
    if not url.startswith("postgresql"):
        yield _fault("database", "sql_alchemy_conn", "is not a PostgreSQL database", "give Airflow one of its own")


def _folders(configured: Configuration) -> Iterator[Check]:
    for option, name in (("dags_folder", "dags"), ("plugins_folder", "plugins")):
        value = configured.get("core", option)
        if value is None or Path(value).expanduser().resolve() != CHECKOUT / name:
            yield _fault("core", option, f"is {value or 'not set'}", f"set it to {CHECKOUT / name}")
    if (configured.get("core", "load_examples") or "true").lower() != "false":
        yield _fault("core", "load_examples", "is on", "set it to False")


def _secrets(configured: Configuration) -> Iterator[Check]:
    for (section, option), shortest in _SECRETS.items():
        if configured.computed(section, option):
            continue
        in_environment, in_file = configured.both(section, option)
        value = in_environment or in_file
        if not value:
            yield _fault(section, option, "is not set: each process would make up its own", "set it for all of them")
        elif in_environment and in_file and in_environment != in_file:
            yield _fault(
                section,
                option,
                "differs between environment and airflow.cfg: processes started apart would not trust each other",
                "remove one of them",
            )
        elif option == "fernet_key":
            if not _is_fernet_key(value):
                yield _fault(
                    section, option, "is not 32 bytes in URL-safe base64", "make one with Fernet.generate_key()"
                )
        elif len(value.encode()) < shortest:
            yield _fault(
                section, option, f"has {len(value.encode())} bytes", f"use {shortest} or more, from a random source"
            )


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value)) == 32
    except (binascii.Error, ValueError):
        return False


def _api(configured: Configuration) -> Iterator[Check]:
    url = configured.get("core", "execution_api_server_url")
    port = configured.get("api", "port") or "8080"
    if url is None:
        return
    parts = urlsplit(url)
    if parts.path.rstrip("/") != "/execution":
        yield _fault("core", "execution_api_server_url", f"is {url}", "let it end in /execution/")
    elif parts.hostname in {"localhost", "127.0.0.1"} and str(parts.port) != port:
        yield _fault(
            "core", "execution_api_server_url", f"names port {parts.port}, the server has {port}", "use one port"
        )


def _timeouts(configured: Configuration) -> Iterator[Check]:
    for (section, option), highest in _TIMEOUTS.items():
        value = configured.get(section, option)
        try:
            short_enough = value is not None and float(value) <= highest
        except ValueError:
            short_enough = False
        if not short_enough:
            found = f"is {value}" if value else "is not set"
            yield _fault(section, option, found, f"set it to {highest}, or recovery takes longer than a cycle")


def _fault(section: str, option: str, found: str, remedy: str) -> Check:
    return Check("airflow", Outcome.FAILED, f"{variable(section, option)} {found}", remedy)
