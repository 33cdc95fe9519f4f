"""The accounts of mode sim: made once per home, worth nothing outside of the simulator."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strandline.cli.up.state_file import write_state
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettingKind, VenueSettings
from strandline.settings import Settings
from strandline.venues.registry import venues
from strandline.venues.simulated_account import SimulatedAccount


@dataclass(frozen=True)
class Account:
    """An account that trades in the simulator."""

    settings: VenueSettings
    key: str = field(repr=False)
    address: str


@dataclass(frozen=True)
class Accounts:
    """One account for each venue that has a simulator."""

    by_venue: Mapping[VenueKey, Account]

    @property
    def public(self) -> dict[str, str]:
        """The addresses, as settings of every process."""
        return {
            setting.variable: account.address
            for account in self.by_venue.values()
            for setting in account.settings.of_kind(VenueSettingKind.ADDRESS)
        }

    @property
    def private(self) -> dict[str, str]:
        """The keys, as settings of the processes that trade."""
        return {
            setting.variable: account.key
            for account in self.by_venue.values()
            for setting in account.settings.of_kind(VenueSettingKind.PRIVATE_KEY)
        }


def private_variables() -> frozenset[str]:
    """The variables of every venue's key: only programs that trade are given them, whoever set them."""
    keys = (setting for venue in venues() for setting in venue.settings.of_kind(VenueSettingKind.PRIVATE_KEY))
    return frozenset(setting.variable for setting in keys)


def demo_accounts(file: Path, settings: Settings) -> Accounts:
    """Use the keys and addresses that the person has set; make the others once and keep them in the file."""
    simulated = [(venue, venue.simulated_account) for venue in venues() if venue.simulated_account is not None]
    kept = _read(file)
    new = {venue.name: _make(account) for venue, account in simulated if venue.name not in kept}
    if new:
        kept |= new
        write_state(file, kept)
    return Accounts(
        {venue.key: _account(venue.settings, account, settings, kept[venue.name]) for venue, account in simulated}
    )


def _read(file: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _make(simulated: SimulatedAccount) -> dict[str, str]:
    key = simulated.make_key()
    return {"key": key, "address": simulated.address_of(key)}


def _account(venue: VenueSettings, simulated: SimulatedAccount, settings: Settings, kept: Mapping[str, str]) -> Account:
    key = _given(settings, venue, VenueSettingKind.PRIVATE_KEY)
    address = _given(settings, venue, VenueSettingKind.ADDRESS)
    if key is None:
        return Account(venue, kept["key"], address or kept["address"])
    return Account(venue, key, address or simulated.address_of(key))


def _given(settings: Settings, venue: VenueSettings, kind: VenueSettingKind) -> str | None:
    """The value that the person set; a venue has at most one setting of each of these kinds."""
    return next((settings.venue_text(setting.name) for setting in venue.of_kind(kind)), None)
