"""The simulated venues of mode sim, and an account at each of them that is worth nothing elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from strandline.cli.up.loopback import HOST, request
from strandline.cli.up.program import STRANDLINE, Program
from strandline.cli.up.state_file import write_state
from strandline.configuration import opening_cash
from strandline.model.errors import StrandlineError
from strandline.model.setting import variable_name
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettingKind, VenueSettings
from strandline.settings import PREFIX, Settings
from strandline.venues.registry import venues
from strandline.venues.simulated_account import SimulatedAccount

VENUES: Final = "venues"
CONTROL: Final = "control"


@dataclass(frozen=True)
class Account:
    """An account that trades in the simulator."""

    venue: VenueSettings
    simulated: SimulatedAccount
    key: str = field(repr=False)
    address: str

    def variables(self, kind: VenueSettingKind) -> list[str]:
        """The environment variables of the venue's settings of a kind."""
        return [setting.variable for setting in self.venue.of_kind(kind)]


class Simulation:
    """One `strandline sim` that keeps its state in a file: however it ends, it comes back as it was."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        _refuse_other_venues(settings)
        self._state = directory / "venues.jsonl"
        self._cash = opening_cash(settings)
        self.accounts = simulated_accounts(directory / "accounts.json", settings)

    @property
    def servers(self) -> list[str]:
        """The servers of `strandline sim`: those of the venues, and its own."""
        return [*(name for account in self.accounts.values() for name in account.simulated.servers.values()), CONTROL]

    @property
    def keys(self) -> dict[str, str]:
        """The keys, as settings of the processes that trade."""
        kind = VenueSettingKind.PRIVATE_KEY
        return {name: one.key for one in self.accounts.values() for name in one.variables(kind)}

    def environment(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Addresses and endpoints, as settings of every process."""
        values: dict[str, str] = {}
        for account in self.accounts.values():
            values |= dict.fromkeys(account.variables(VenueSettingKind.ADDRESS), account.address)
            for endpoint, server in account.simulated.servers.items():
                values[variable_name(endpoint)] = f"http://{HOST}:{ports[server]}"
        return values

    def program(self, ports: Mapping[str, int], market: Sequence[str]) -> Program:
        """Return the program; `market` is further arguments of `strandline sim`."""
        options = [f"--{name}-port={ports[name]}" for name in self.servers]
        # Only the accounts that `fund` pays into have money.
        command = [*STRANDLINE, "sim", "--starting-usdc=0", f"--state={self._state}", *market, *options]
        return Program(VENUES, command, lambda _: _answers(ports[CONTROL]))

    def fund(self, control_port: int) -> None:
        """Give each account its cash unless it had it before; OSError while the simulator is away."""
        for key, account in self.accounts.items():
            if key not in self._cash:
                continue
            deposit = {**account.simulated.deposit(account.address, self._cash[key]), "once": True}
            status, response = request(control_port, "POST", "/deposit", deposit)
            if status != 200:
                raise StrandlineError(f"the simulator refused a deposit: {response}", f"see the log of {VENUES}")


def private_variables() -> frozenset[str]:
    """The variables of every venue's key: only programs that trade are given them, whoever set them."""
    keys = (setting for venue in venues() for setting in venue.settings.of_kind(VenueSettingKind.PRIVATE_KEY))
    return frozenset(setting.variable for setting in keys)


def simulated_accounts(file: Path, settings: Settings) -> Mapping[VenueKey, Account]:
    """One account for each venue that has a simulator.

    Keys and addresses that the person has set are used; the others are made once and kept in the file.
    """
    simulated = {venue.name: (venue, venue.simulated_account) for venue in venues() if venue.simulated_account}
    kept = dict(json.loads(file.read_text())) if file.exists() else {}
    if missing := simulated.keys() - kept.keys():
        kept |= {name: _make(simulated[name][1]) for name in missing}
        write_state(file, kept)
    return {
        venue.key: _account(venue.settings, account, settings, kept[name])
        for name, (venue, account) in simulated.items()
    }


def _make(simulated: SimulatedAccount) -> dict[str, str]:
    key = simulated.make_key()
    return {"key": key, "address": simulated.address_of(key)}


def _account(venue: VenueSettings, simulated: SimulatedAccount, settings: Settings, kept: Mapping[str, str]) -> Account:
    key = _given(settings, venue, VenueSettingKind.PRIVATE_KEY)
    address = _given(settings, venue, VenueSettingKind.ADDRESS)
    if key is None:
        return Account(venue, simulated, kept["key"], address or kept["address"])
    return Account(venue, simulated, key, address or simulated.address_of(key))


def _given(settings: Settings, venue: VenueSettings, kind: VenueSettingKind) -> str | None:
    """The value that the person set; a venue has at most one setting of each of these kinds."""
    return next((settings.venue_text(setting.name) for setting in venue.of_kind(kind)), None)


def _refuse_other_venues(settings: Settings) -> None:
    endpoints = [setting.name for venue in settings.venues for setting in venue.of_kind(VenueSettingKind.ENDPOINT)]
    for name in endpoints:
        if name in settings.venue_values:
            problem = f"{PREFIX}{name.upper()} is set, but in mode sim strandline up starts venues of its own"
            raise StrandlineError(problem, "remove it")


def _answers(control_port: int) -> bool:
    try:
        return request(control_port, "GET", "/clock")[0] == 200
    except OSError:
        return False
