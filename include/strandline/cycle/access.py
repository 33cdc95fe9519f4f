"""From settings to what each venue's code is given."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from pydantic import SecretStr

from strandline.model.errors import ConfigurationError
from strandline.model.exact import Money
from strandline.model.strategy import Execution, Strategy
from strandline.model.venue import VenueKey
from strandline.settings import PREFIX, VENUE_KEYS, Mode, Settings, VenueName
from strandline.venues.config import VenueConfig


def venue_access(
    settings: Settings, strategy: Strategy, clock: Callable[[], datetime]
) -> Mapping[VenueKey, VenueConfig]:
    """For each venue that is on."""
    told = {"hyperliquid": _hyperliquid, "solana": _solana}
    shares = opening_cash(settings)
    return {
        VENUE_KEYS[name]: replace(
            told[name](settings, clock, strategy.execution),
            mainnet=settings.mode is Mode.LIVE,
            paper=settings.mode is Mode.PAPER,
            opening_cash=shares[name],
        )
        for name in settings.enabled_venues
    }


def opening_cash(settings: Settings) -> Mapping[VenueName, Money]:
    """What each venue starts with in sim and paper: its own share, or its part of what the others leave."""
    own = {"hyperliquid": settings.hyperliquid_initial_value, "solana": settings.solana_initial_value}
    said = {name: share for name in settings.enabled_venues if (share := own[name]) is not None}
    silent = [name for name in settings.enabled_venues if name not in said]
    left = max(settings.initial_portfolio_value - sum(said.values()), Decimal(0))
    even = (left / len(silent)).quantize(Decimal("0.01")) if silent else Decimal(0)
    return {name: Money(said.get(name, even)) for name in settings.enabled_venues}


def _hyperliquid(settings: Settings, clock: Callable[[], datetime], limits: Execution) -> VenueConfig:
    return VenueConfig(
        clock=clock,
        limits=limits,
        url=_required(settings.hyperliquid_endpoint, "hyperliquid_url"),
        address=settings.hyperliquid_address,
        key=_told(settings.hyperliquid_key),
    )


def _solana(settings: Settings, clock: Callable[[], datetime], limits: Execution) -> VenueConfig:
    return VenueConfig(
        clock=clock,
        limits=limits,
        url=_required(settings.jupiter_endpoint, "jupiter_url"),
        rpc_url=_required(settings.solana_rpc_endpoint, "solana_rpc_url"),
        key=_told(settings.solana_key),
        api_key=_told(settings.jupiter_api_key),
    )


def _told(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _required(endpoint: str | None, setting: str) -> str:
    if endpoint is None:
        name = f"{PREFIX}{setting.upper()}"
        raise ConfigurationError([f"{name} is not set; start the simulated venues with strandline up, which sets it"])
    return endpoint
