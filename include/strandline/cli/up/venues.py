"""The simulated venues of mode sim, and the money in them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from strandline.cli.up.accounts import Accounts
from strandline.cli.up.loopback import HOST, request
from strandline.cli.up.program import STRANDLINE, Program
from strandline.configuration import opening_cash
from strandline.model.errors import StrandlineError
from strandline.model.setting import variable_name
from strandline.model.venue import VenueKey
from strandline.model.venue_settings import VenueSettingKind
from strandline.settings import PREFIX, Settings
from strandline.venues.registry import venues
from strandline.venues.simulated_account import SimulatedAccount

_CONTROL: Final = "control"


def server_names() -> list[str]:
    """The servers of `strandline sim`: those of the venues, and its own."""
    return [*(server for simulated in _simulated().values() for server in simulated.servers.values()), _CONTROL]


class SimulatedVenues:
    """One `strandline sim` that keeps its state in a file: however it ends, it comes back as it was."""

    def __init__(self, settings: Settings, ports: Mapping[str, int], accounts: Accounts, state: Path) -> None:
        _refuse_other_venues(settings)
        self._ports = ports
        self._state = state
        self._accounts = accounts
        self._money = opening_cash(settings)
        self._funded: set[tuple[int, object]] = set()

    @property
    def urls(self) -> dict[str, str]:
        """Their addresses by name; `control` is the simulator's own."""
        return {name: f"http://{HOST}:{self._ports[name]}" for name in server_names()}

    @property
    def settings(self) -> dict[str, str]:
        """The environment by which programs find them."""
        urls = self.urls
        return {
            variable_name(endpoint): urls[server]
            for simulated in _simulated().values()
            for endpoint, server in simulated.servers.items()
        }

    def program(self, market: Sequence[str]) -> Program:
        """Return the command; `market` is further arguments of `strandline sim`."""
        ports = [f"--{name}-port={self._ports[name]}" for name in server_names()]
        # Only the accounts that `_fund` pays into have money.
        return Program(
            "venues",
            [*STRANDLINE, "sim", "--starting-usdc=0", f"--state={self._state}", *market, *ports],
            self._is_ready,
        )

    def _is_ready(self, pid: int, _uptime: float) -> bool:
        """Whether they answer and the accounts have their money."""
        try:
            status, _ = request(self._ports[_CONTROL], "GET", "/clock")
            if status == 200:
                self._fund(pid)
        except OSError:
            return False
        return status == 200

    def _fund(self, pid: int) -> None:
        """Fund each account that never had anything; requested once in the life of a process."""
        for deposit in self._deposits():
            if (pid, deposit["address"]) in self._funded:
                continue
            status, response = request(self._ports[_CONTROL], "POST", "/deposit", deposit)
            if status != 200:
                raise StrandlineError(f"the simulator refused a deposit: {response}", "see the log of the venues")
            self._funded.add((pid, deposit["address"]))

    def _deposits(self) -> Iterator[dict[str, object]]:
        for key, simulated in _simulated().items():
            if key in self._money:
                yield {**simulated.deposit(self._accounts.by_venue[key].address, self._money[key]), "once": True}


def _simulated() -> Mapping[VenueKey, SimulatedAccount]:
    return {venue.key: venue.simulated_account for venue in venues() if venue.simulated_account is not None}


def _refuse_other_venues(settings: Settings) -> None:
    endpoints = [setting.name for venue in settings.venues for setting in venue.of_kind(VenueSettingKind.ENDPOINT)]
    for name in endpoints:
        if name in settings.venue_values:
            problem = f"{PREFIX}{name.upper()} is set, but in mode sim strandline up starts venues of its own"
            raise StrandlineError(problem, "remove it")
