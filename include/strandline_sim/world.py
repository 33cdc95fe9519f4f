"""The whole simulation: the venues, and the market, clock and tape that they share."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import BinaryIO, NamedTuple

from aiohttp import web

from strandline.model.record import Record
from strandline_sim.clock import Clock
from strandline_sim.command_log import CommandLog
from strandline_sim.control import control_app
from strandline_sim.faults import Faults, Rule
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.market import Market, Scenario
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.solana import DEFAULT_TOKENS, Plans, SolanaVenue
from strandline_sim.symbols import PERPS, TOKENS
from strandline_sim.tape import Tape
from strandline_sim.web import runner_of


class Ports(Record, frozen=True, kw_only=True):
    """The ports to listen on; 0 is any free port."""

    hyperliquid: int = 0
    solana: int = 0
    jupiter: int = 0
    control: int = 0


class Endpoints(NamedTuple):
    """The URLs of the servers."""

    hyperliquid: str
    solana: str
    jupiter: str
    control: str


class World:
    """The simulated venues; `start` serves them, `stop` ends that."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        perps: Sequence[SymbolSpec] = PERPS,
        scenario: Scenario | None = None,
        rules: Iterable[Rule] = (),
        tape: BinaryIO | None = None,
        starting_usdc: Decimal | None = None,
        real_time: bool = True,
        limited: bool = True,
        shifts: Mapping[str, int] | None = None,
        command_file: BinaryIO | None = None,
    ) -> None:
        """With `real_time` nonces must be near the clock's time, and with `limited` rate limits apply."""
        limited = limited and real_time
        self.clock = clock
        self.command_log = CommandLog(clock, command_file, self._synced_tape_length)
        self.tape = Tape(tape)
        self.faults = Faults(rules, seed)
        self.market = market_of(seed, perps, scenario, shifts)
        self.hyperliquid = HyperliquidVenue(
            self.market,
            clock,
            self.tape,
            self.faults,
            starting_usdc=starting_usdc,
            limits=Limits() if limited else Limits.none(),
            nonce_window=real_time,
            command_log=self.command_log,
        )
        plans = Plans() if limited else Plans(keyless=None)
        self.solana = SolanaVenue(
            self.market,
            clock,
            self.tape,
            self.faults,
            DEFAULT_TOKENS,
            seed=seed,
            plans=plans,
            command_log=self.command_log,
        )
        self._control: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", ports: Ports | None = None) -> Endpoints:
        """Start all servers."""
        ports = ports or Ports()
        hyperliquid = await self.hyperliquid.start(host, ports.hyperliquid)
        solana = await self.solana.start(host, ports.solana, ports.jupiter)
        self._control = runner_of(control_app(self))
        await self._control.setup()
        await web.TCPSite(self._control, host, ports.control).start()
        control = f"http://{host}:{self._control.addresses[0][1]}"
        return Endpoints(hyperliquid, solana.rpc, solana.jupiter, control)

    async def stop(self) -> None:
        """Stop all servers."""
        if self._control is not None:
            await self._control.cleanup()
        await self.solana.stop()
        await self.hyperliquid.stop()

    def _synced_tape_length(self) -> int:
        self.sync()
        return len(self.tape)

    def sync(self) -> None:
        """Bring the venues to the clock's time, as any request does."""
        self.hyperliquid.advance()
        self.solana.chain.sync()


def market_of(
    seed: int,
    perps: Sequence[SymbolSpec],
    scenario: Scenario | None = None,
    shifts: Mapping[str, int] | None = None,
) -> Market:
    """Make the market of the perps and of the chain's tokens."""
    return Market(seed, _with_tokens(perps), scenario, shifts=shifts)


def _with_tokens(perps: Sequence[SymbolSpec]) -> list[SymbolSpec]:
    """Add the symbols whose prices the chain's tokens follow, unless they are among the perps."""
    known = {spec.symbol for spec in perps}
    return [*perps, *(spec for spec in (*PERPS, *TOKENS) if spec.symbol not in known and _on_chain(spec.symbol))]


def _on_chain(symbol: str) -> bool:
    return any(token.market == symbol for token in DEFAULT_TOKENS)
