"""The words that settings are made of."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from strandline.model.venue import VenueKey

PREFIX = "STRANDLINE_"
"""What the name of every variable starts with."""
HYPERLIQUID_MAINNET_URL = "https://api.hyperliquid.xyz"
HYPERLIQUID_TESTNET_URL = "https://api.hyperliquid-testnet.xyz"
SOLANA_MAINNET_RPC_URL = "https://api.mainnet-beta.solana.com"
JUPITER_MAINNET_URL = "https://api.jup.ag"

CONTAINER_SECRETS = Path("/run/secrets")

VenueName = Literal["hyperliquid", "solana"]
VENUES: tuple[VenueName, ...] = ("hyperliquid", "solana")
VENUE_KEYS: Mapping[VenueName, VenueKey] = {
    "hyperliquid": VenueKey.parse("hyperliquid/perps"),
    "solana": VenueKey.parse("solana/onchain_crypto"),
}


class Mode(StrEnum):
    """How real it is; everything that is not said fails towards `sim`."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Source(StrEnum):
    """Where a value came from."""

    ENVIRONMENT = "environment"
    ENV_FILE = ".env"
    SECRETS_DIRECTORY = "secret file"


def variable_name(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"
