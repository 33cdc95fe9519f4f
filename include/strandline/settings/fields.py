"""Every setting: its type, its default, its meaning."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from strandline.model.errors import ConfigurationError
from strandline.settings.contradictions import ContradictionsError, contradictions
from strandline.settings.forms import (
    Address,
    Amount,
    AmountOrZero,
    ApiKey,
    Count,
    DatabaseUrl,
    DirectoryToBe,
    EnvFile,
    EthereumKey,
    ExistingDirectory,
    JupiterUrl,
    Percentage,
    Port,
    RpcUrl,
    SolanaKey,
    StrategyFile,
    Switch,
    VenueUrl,
    directory_to_be,
    one_of,
)
from strandline.settings.words import (
    CONTAINER_SECRETS,
    HYPERLIQUID_MAINNET_URL,
    HYPERLIQUID_TESTNET_URL,
    JUPITER_MAINNET_URL,
    PREFIX,
    SOLANA_MAINNET_RPC_URL,
    VENUES,
    LogLevel,
    Mode,
    VenueName,
)


def _checkout() -> Path | None:
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else None


def _default_home() -> Path:
    checkout = _checkout()
    try:
        return directory_to_be(str(checkout / ".strandline") if checkout else "~/.strandline")
    except (ValueError, OSError, RuntimeError):
        fault = f"{PREFIX}HOME is not set, and its default is not a directory; set it to one"
        raise ConfigurationError([fault]) from None


def default_env_file() -> Path:
    return (_checkout() or Path.cwd()) / ".env"


def default_secrets_dir() -> Path | None:
    return CONTAINER_SECRETS if CONTAINER_SECRETS.is_dir() else None


def _setting(
    group: str,
    meaning: str,
    default: object = None,
    *,
    default_factory: Callable[[], object] | None = None,
    default_in_words: str | None = None,
    seed_name: str | None = None,
) -> Any:  # noqa: ANN401 - as pydantic's own Field: the type is the annotation's
    """One field: what pydantic needs, and what the docs say about it."""
    words = default_in_words or ("not set" if default is None else str(default))
    docs: dict[str, Any] = {"group": group, "default_in_words": words, "seed_name": seed_name}
    if default_factory:
        return Field(default_factory=default_factory, description=meaning, json_schema_extra=docs)
    return Field(default=default, description=meaning, json_schema_extra=docs)


class Settings(BaseSettings):
    """All settings, typed, checked and frozen.

    `load_settings` reads them from where they are kept; `Settings(…)` takes only what it is given.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False
    )

    mode: Annotated[Mode, one_of(Mode, Mode.SIM)] = _setting(
        "General",
        "How real it is: `sim` trades on simulated venues on this machine, `paper` trades real market data with "
        "simulated fills, `testnet` trades on the venue's test network, `live` trades real money.",
        Mode.SIM,
    )
    home: DirectoryToBe = _setting(
        "General",
        "The directory of everything that Strandline writes: the embedded database, logs, spool, audit anchors.",
        default_factory=_default_home,
        default_in_words="`.strandline` in the checkout, else `~/.strandline`",
    )
    env_file: EnvFile = _setting(
        "General",
        "The file that is read in place of `.env`. Taken from the environment only.",
        default_factory=default_env_file,
        default_in_words="`.env` in the checkout, else in the current directory",
    )
    secrets_dir: ExistingDirectory | None = _setting(
        "General",
        "The directory of secret files.",
        default_factory=default_secrets_dir,
        default_in_words=f"`{CONTAINER_SECRETS}` where it exists",
    )
    log_level: Annotated[LogLevel, one_of(LogLevel, LogLevel.INFO, fold=str.upper)] = _setting(
        "General", "The least severe message that is logged; upper or lower case.", LogLevel.INFO
    )
    airflow_port: Port = _setting("General", "The port of Airflow's web pages on this machine.", 8080)

    database_url: DatabaseUrl | None = _setting(
        "Database", "The PostgreSQL database.", default_in_words="the embedded PostgreSQL under the home directory"
    )
    database_url_ingest: DatabaseUrl | None = _setting(
        "Database",
        "The login of the sidecar, which writes market data only.",
        default_in_words="the login of the database URL",
    )
    database_url_app: DatabaseUrl | None = _setting(
        "Database", "The login of the pipeline.", default_in_words="the login of the database URL"
    )
    database_url_ui: DatabaseUrl | None = _setting(
        "Database", "The login of the pages, which only read.", default_in_words="the login of the database URL"
    )
    database_url_owner: DatabaseUrl | None = _setting(
        "Database", "The login that migrates the schema.", default_in_words="the login of the database URL"
    )

    initial_portfolio_value: Amount = _setting(
        "Portfolio",
        "The money that sim and paper start with, in US dollars, split evenly over the venues that are on.",
        Decimal(10000),
        seed_name="INITIAL_PORTFOLIO_VALUE",
    )
    hyperliquid_initial_value: AmountOrZero | None = _setting(
        "Portfolio", "Hyperliquid's own share of it, in US dollars.", default_in_words="its even share"
    )
    solana_initial_value: AmountOrZero | None = _setting(
        "Portfolio", "Solana's own share of it, in US dollars.", default_in_words="its even share"
    )

    hyperliquid_enabled: Switch | None = _setting(
        "Hyperliquid",
        "Whether orders go to Hyperliquid.",
        default_in_words="on in sim and paper, off in testnet and live",
        seed_name="HYPERLIQUID_EXECUTOR_ENABLED",
    )
    hyperliquid_address: Address | None = _setting(
        "Hyperliquid", "The public address of the account; needed in testnet and live."
    )
    hyperliquid_key: EthereumKey | None = _setting(
        "Hyperliquid",
        "The private key of the account's API wallet; needed in testnet and live, by the venue's own worker alone.",
    )
    hyperliquid_url: VenueUrl | None = _setting(
        "Hyperliquid",
        "Hyperliquid's API.",
        default_in_words=f"{HYPERLIQUID_MAINNET_URL} in paper and live, {HYPERLIQUID_TESTNET_URL} in testnet, "
        "the simulator in sim",
    )

    solana_enabled: Switch | None = _setting(
        "Solana", "Whether orders go to Solana.", default_in_words="on in sim and paper, off in testnet and live"
    )
    solana_key: SolanaKey | None = _setting(
        "Solana", "The private key of the wallet; needed in live, by the venue's own worker alone."
    )
    solana_rpc_url: RpcUrl | None = _setting(
        "Solana",
        "The RPC node, with the provider's API key if it has one; needed in live.",
        default_in_words=f"{SOLANA_MAINNET_RPC_URL} in paper, the simulator in sim",
    )
    jupiter_url: JupiterUrl | None = _setting(
        "Solana",
        "Jupiter's API, which quotes, routes and prices the trades on Solana.",
        default_in_words=f"{JUPITER_MAINNET_URL} in paper and live, the simulator in sim",
    )
    jupiter_api_key: ApiKey | None = _setting("Solana", "The key of Jupiter's API; it raises the rate limit.")

    strategy_file: StrategyFile | None = _setting(
        "Trading", "Your own `strategy.toml`.", default_in_words="the strategy that comes with Strandline"
    )
    max_position_pct: Percentage | None = _setting(
        "Trading",
        "The most that one token may hold, in percent of equity.",
        default_in_words="as in the strategy",
        seed_name="MAX_POSITION_SIZE_PCT",
    )
    max_daily_loss_pct: Percentage | None = _setting(
        "Trading",
        "The loss since the start of the UTC day that stops entries, in percent.",
        default_in_words="as in the strategy",
        seed_name="MAX_DAILY_LOSS_PCT",
    )
    max_drawdown_pct: Percentage | None = _setting(
        "Trading",
        "The loss since the highest equity that stops entries, in percent.",
        default_in_words="as in the strategy",
        seed_name="MAX_DRAWDOWN_PCT",
    )
    max_consecutive_losses: Count | None = _setting(
        "Trading",
        "The number of losing trades in a row that stops entries.",
        default_in_words="as in the strategy",
        seed_name="MAX_CONSECUTIVE_LOSSES",
    )

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load_settings` reads the sources: pydantic's own skip unreadable lines and unknown names without a word, and
        # forget under which name a value was given.
        return (init_settings,)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        found = tuple(contradictions(self))
        if found:
            raise ContradictionsError(found)
        return self

    def venue_enabled(self, venue: VenueName) -> bool:
        """Whether the venue is on; not said, it is on only where no real order can be sent."""
        said = {"hyperliquid": self.hyperliquid_enabled, "solana": self.solana_enabled}[venue]
        return self.mode in {Mode.SIM, Mode.PAPER} if said is None else said

    @property
    def enabled_venues(self) -> tuple[VenueName, ...]:
        """The venues that are on."""
        return tuple(venue for venue in VENUES if self.venue_enabled(venue))

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """The private keys without which an enabled venue cannot be traded.

        No fault: in testnet and live only the venue's own worker has them. There it is one.
        """
        if self.mode in {Mode.SIM, Mode.PAPER}:
            return ()
        keys = {"hyperliquid": self.hyperliquid_key, "solana": self.solana_key}
        return tuple(f"{venue}_key" for venue in self.enabled_venues if keys[venue] is None)

    @property
    def hyperliquid_endpoint(self) -> str | None:
        """Where Hyperliquid's API is; None in sim, where the simulator says it at start."""
        defaults = {
            Mode.PAPER: HYPERLIQUID_MAINNET_URL,
            Mode.LIVE: HYPERLIQUID_MAINNET_URL,
            Mode.TESTNET: HYPERLIQUID_TESTNET_URL,
        }
        return self.hyperliquid_url or defaults.get(self.mode)

    @property
    def solana_rpc_endpoint(self) -> str | None:
        """Where Solana's RPC node is; None in sim, and in testnet, where Solana is off."""
        return _endpoint(self.solana_rpc_url, self.mode, SOLANA_MAINNET_RPC_URL)

    @property
    def jupiter_endpoint(self) -> str | None:
        """Where Jupiter's API is; None in sim, and in testnet, which Jupiter does not have."""
        return _endpoint(self.jupiter_url, self.mode, JUPITER_MAINNET_URL)


def _endpoint(url: SecretStr | None, mode: Mode, mainnet: str) -> str | None:
    if url:
        return url.get_secret_value()
    return mainnet if mode in {Mode.PAPER, Mode.LIVE} else None
