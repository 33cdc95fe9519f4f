"""The settings that belong to no venue, with type, default and meaning, and the values of the venues' settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, cast

from pydantic import SecretStr

from strandline.model.errors import ConfigurationError
from strandline.model.mode import Mode
from strandline.model.setting import PREFIX, ValueFormat
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettingKind, VenueSettings
from strandline.settings import formats
from strandline.settings.constants import CONTAINER_SECRETS, LogLevel

GENERAL: Final = "General"
DATABASE: Final = "Database"
RETENTION: Final = "Retention"
PORTFOLIO: Final = "Portfolio"
TRADING: Final = "Trading"


def _checkout() -> Path | None:
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else None


def _default_home() -> Path:
    checkout = _checkout()
    try:
        return formats.directory_to_be(str(checkout / ".strandline") if checkout else "~/.strandline")
    except (ValueError, OSError, RuntimeError):
        fault = f"{PREFIX}HOME is not set, and its default is not a directory; set it to one"
        raise ConfigurationError([fault]) from None


def default_env_file() -> Path:
    """The file `.env` in the checkout, else in the current directory."""
    return (_checkout() or Path.cwd()) / ".env"


def default_secrets_dir() -> Path | None:
    """The directory in which containers mount secrets, if it exists."""
    return CONTAINER_SECRETS if CONTAINER_SECRETS.is_dir() else None


@dataclass(frozen=True)
class Declared:
    """The declaration of a setting, without its name; `default` is in words."""

    group: str
    meaning: str
    format: ValueFormat
    default: str = "not set"
    seed_name: str | None = None


_LOGIN: Final = "the login of the database URL"
_STRATEGY: Final = "as in the strategy"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, typed and frozen.

    The constructor checks nothing; `load_settings` and `build_settings` do.
    """

    mode: Annotated[
        Mode,
        Declared(
            GENERAL,
            "How real it is: `sim` trades on simulated venues on this machine, `paper` trades real market data with "
            "simulated fills, `testnet` trades on the venue's test network, `live` trades real money.",
            formats.one_of(Mode, Mode.SIM),
            default="sim",
        ),
    ] = Mode.SIM
    home: Annotated[
        Path,
        Declared(
            GENERAL,
            "The directory of everything that Strandline writes: the embedded database, logs, spool, audit anchors.",
            formats.DIRECTORY_TO_BE,
            default="`.strandline` in the checkout, else `~/.strandline`",
        ),
    ] = field(default_factory=_default_home)
    env_file: Annotated[
        Path,
        Declared(
            GENERAL,
            "The file that is read in place of `.env`. Taken from the environment only.",
            formats.ENV_FILE,
            default="`.env` in the checkout, else in the current directory",
        ),
    ] = field(default_factory=default_env_file)
    secrets_dir: Annotated[
        Path | None,
        Declared(
            GENERAL,
            "The directory of secret files.",
            formats.EXISTING_DIRECTORY,
            default=f"`{CONTAINER_SECRETS}` where it exists",
        ),
    ] = field(default_factory=default_secrets_dir)
    log_level: Annotated[
        LogLevel,
        Declared(
            GENERAL,
            "The least severe message that is logged; upper or lower case.",
            formats.one_of(LogLevel, LogLevel.INFO, fold=str.upper),
            default="INFO",
        ),
    ] = LogLevel.INFO
    airflow_port: Annotated[
        int,
        Declared(
            GENERAL,
            "The port of Airflow's web pages on this machine.",
            formats.PORT,
            default="8080",
        ),
    ] = 8080
    metrics_port: Annotated[
        int | None,
        Declared(
            GENERAL,
            "The port on this machine where `strandline ingest` serves its metrics to Prometheus.",
            formats.PORT,
        ),
    ] = None

    database_url: Annotated[
        SecretStr | None,
        Declared(
            DATABASE,
            "The PostgreSQL database.",
            formats.DATABASE_URL,
            default="the embedded PostgreSQL under the home directory",
        ),
    ] = None
    database_url_ingest: Annotated[
        SecretStr | None,
        Declared(
            DATABASE,
            "The login of the sidecar, which writes market data only.",
            formats.DATABASE_URL,
            default=_LOGIN,
        ),
    ] = None
    database_url_app: Annotated[
        SecretStr | None,
        Declared(
            DATABASE,
            "The login of the pipeline.",
            formats.DATABASE_URL,
            default=_LOGIN,
        ),
    ] = None
    database_url_ui: Annotated[
        SecretStr | None,
        Declared(
            DATABASE,
            "The login of the pages, which only read.",
            formats.DATABASE_URL,
            default=_LOGIN,
        ),
    ] = None
    database_url_owner: Annotated[
        SecretStr | None,
        Declared(
            DATABASE,
            "The login that migrates the schema.",
            formats.DATABASE_URL,
            default=_LOGIN,
        ),
    ] = None

    tick_retention_days: Annotated[
        int,
        Declared(
            RETENTION,
            "The days that ticks stay in the database; `strandline maintenance` moves older ones to Parquet files.",
            formats.DAYS,
            default="90",
        ),
    ] = 90
    archive_dir: Annotated[
        Path | None,
        Declared(
            RETENTION,
            "The directory of the Parquet files and their manifest. It belongs into your backups.",
            formats.DIRECTORY_TO_BE,
            default="`archive` in the home directory",
        ),
    ] = None
    data_docs_dir: Annotated[
        Path | None,
        Declared(
            GENERAL,
            "The directory of the pages that show what the quality gate found.",
            formats.DIRECTORY_TO_BE,
            default="`data_docs` in the home directory",
        ),
    ] = None

    initial_portfolio_value: Annotated[
        Decimal,
        Declared(
            PORTFOLIO,
            "The money that sim and paper start with, in US dollars, split evenly over the venues that are on.",
            formats.AMOUNT,
            default="10000",
            seed_name="INITIAL_PORTFOLIO_VALUE",
        ),
    ] = Decimal(10000)

    strategy_file: Annotated[
        Path | None,
        Declared(
            TRADING,
            "Your own `strategy.toml`.",
            formats.STRATEGY_FILE,
            default="the strategy that comes with Strandline",
        ),
    ] = None
    max_position_pct: Annotated[
        Decimal | None,
        Declared(
            TRADING,
            "The most that one token may hold, in percent of equity.",
            formats.PERCENTAGE,
            default=_STRATEGY,
            seed_name="MAX_POSITION_SIZE_PCT",
        ),
    ] = None
    max_daily_loss_pct: Annotated[
        Decimal | None,
        Declared(
            TRADING,
            "The loss since the start of the UTC day that stops entries, in percent.",
            formats.PERCENTAGE,
            default=_STRATEGY,
            seed_name="MAX_DAILY_LOSS_PCT",
        ),
    ] = None
    max_drawdown_pct: Annotated[
        Decimal | None,
        Declared(
            TRADING,
            "The loss since the highest equity that stops entries, in percent.",
            formats.PERCENTAGE,
            default=_STRATEGY,
            seed_name="MAX_DRAWDOWN_PCT",
        ),
    ] = None
    max_consecutive_losses: Annotated[
        int | None,
        Declared(
            TRADING,
            "The number of losing trades in a row that stops entries.",
            formats.COUNT,
            default=_STRATEGY,
            seed_name="MAX_CONSECUTIVE_LOSSES",
        ),
    ] = None

    venues: tuple[VenueSettings, ...] = field(default=(), repr=False)
    """The venues that exist, with the settings that they declare."""
    venue_values: Mapping[str, object] = field(default_factory=dict)
    """The values of their settings that were given, by name."""
    given: frozenset[str] = field(default=frozenset(), repr=False)
    """The names of all settings that were given."""

    @property
    def archive(self) -> Path:
        """The directory of archived ticks."""
        return self.archive_dir or self.home / "archive"

    @property
    def data_docs(self) -> Path:
        """The directory of the quality gate's pages."""
        return self.data_docs_dir or self.home / "data_docs"

    def venue_enabled(self, venue: VenueSettings) -> bool:
        """Whether the venue is on; by default only where no real order can be sent."""
        switch = cast("bool | None", self.venue_values.get(venue.enabled))
        return not self.mode.sends_orders if switch is None else switch

    @property
    def enabled_venues(self) -> tuple[VenueSettings, ...]:
        """The venues that are on."""
        return tuple(venue for venue in self.venues if self.venue_enabled(venue))

    @property
    def enabled_keys(self) -> tuple[VenueKey, ...]:
        """The keys of the venues that are on."""
        return tuple(venue.key for venue in self.enabled_venues)

    def initial_value(self, venue: VenueSettings) -> Decimal | None:
        """The venue's own share of the money in sim and paper."""
        return cast("Decimal | None", self.venue_values.get(venue.initial_value))

    def venue_text(self, name: str) -> str | None:
        """The value of a venue's setting, even a secret one: as given, else its default in this mode."""
        defaults = {setting.name: setting.defaults for venue in self.venues for setting in venue.fields}
        value = self.venue_values.get(name, defaults[name].get(self.mode))
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        return None if value is None else str(value)

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """The private keys without which an enabled venue cannot be traded.

        This is not an error here: in testnet and live only the venue's own worker has them, and it checks.
        """
        if not self.mode.sends_orders:
            return ()
        keys = [key for venue in self.enabled_venues for key in venue.of_kind(VenueSettingKind.PRIVATE_KEY)]
        return tuple(key.name for key in keys if key.name not in self.venue_values)
