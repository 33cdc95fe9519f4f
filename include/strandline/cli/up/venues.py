"""The simulated venues of mode sim, and the money in them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from strandline.cli.up.accounts import Accounts
from strandline.cli.up.loopback import HOST, request
from strandline.cli.up.program import STRANDLINE, Program
from strandline.configuration import opening_cash
from strandline.model.errors import StrandlineError
from strandline.model.venue_settings import VenueSettingKind
from strandline.settings import PREFIX, Settings
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN

VENUE_PORTS: Final = ("hyperliquid", "solana", "jupiter", "control")
_USDC_UNITS: Final = 10**6
_SOL_FOR_FEES: Final = 1.0


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
        return {name: f"http://{HOST}:{self._ports[name]}" for name in VENUE_PORTS}

    @property
    def settings(self) -> dict[str, str]:
        """The environment by which programs find them."""
        urls = self.urls
        return {
            f"{PREFIX}HYPERLIQUID_URL": urls["hyperliquid"],
            f"{PREFIX}SOLANA_RPC_URL": urls["solana"],
            f"{PREFIX}JUPITER_URL": urls["jupiter"],
        }

    def program(self, market: Sequence[str]) -> Program:
        """Return the command; `market` is further arguments of `strandline sim`."""
        ports = [f"--{name}-port={self._ports[name]}" for name in VENUE_PORTS]
        # Only the accounts that `_fund` pays into have money.
        return Program("venues", [*STRANDLINE, "sim", "--starting-usdc=0", f"--state={self._state}", *market, *ports])

    def is_ready(self, pid: int) -> bool:
        """Whether they answer and the accounts have their money."""
        try:
            status, _ = request(self._ports["control"], "GET", "/clock")
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
            status, response = request(self._ports["control"], "POST", "/deposit", deposit)
            if status != 200:
                raise StrandlineError(f"the simulator refused a deposit: {response}", "see the log of the venues")
            self._funded.add((pid, deposit["address"]))

    def _deposits(self) -> Iterator[dict[str, object]]:
        if HYPERLIQUID_PERPS in self._money:
            usdc = str(self._money[HYPERLIQUID_PERPS].decimal)
            yield {"address": self._accounts.hyperliquid_address, "usdc": usdc, "once": True}
        if SOLANA_ONCHAIN in self._money:
            tokens = {"USDC": int(self._money[SOLANA_ONCHAIN].decimal * _USDC_UNITS)}
            yield {"address": self._accounts.solana_address, "sol": _SOL_FOR_FEES, "tokens": tokens, "once": True}


def _refuse_other_venues(settings: Settings) -> None:
    endpoints = [setting.name for venue in settings.venues for setting in venue.of_kind(VenueSettingKind.ENDPOINT)]
    for name in endpoints:
        if name in settings.venue_values:
            problem = f"{PREFIX}{name.upper()} is set, but in mode sim strandline up starts venues of its own"
            raise StrandlineError(problem, "remove it")
