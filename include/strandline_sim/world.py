"""The whole simulation: one market, one clock, one tape, and the venues that share them."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import BinaryIO, NamedTuple

from aiohttp import web

from strandline.model.record import Record
from strandline_sim.clock import Clock
from strandline_sim.commands import Commands
from strandline_sim.control import control_app
from strandline_sim.faults import Faults, Rule
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.market import Market, Scenario
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.solana import DEFAULT_TOKENS, Plans, SolanaVenue
from strandline_sim.symbols import PERPS, TOKENS
from strandline_sim.tape import Tape


class Ports(Record, frozen=True, kw_only=True):
    """Where to listen; 0 is any free port."""

    hyperliquid: int = 0
    solana: int = 0
    jupiter: int = 0
    control: int = 0


class Endpoints(NamedTuple):
    """Where it listens."""

    hyperliquid: str
    solana: str
    jupiter: str
    control: str


class World:
    """`start` it and point any client at its endpoints; `stop` ends it."""

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
        commands: BinaryIO | None = None,
    ) -> None:
        """With `real_time` clients share the venues' clock: nonces must be near it, and `limited` holds rate limits."""
        limited = limited and real_time
        self.clock = clock
        self.commands = Commands(clock, commands, self._settled)
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
            commands=self.commands,
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
            commands=self.commands,
        )
        self._control: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", ports: Ports | None = None) -> Endpoints:
        """Listen on all of them."""
        ports = ports or Ports()
        hyperliquid = await self.hyperliquid.start(host, ports.hyperliquid)
        solana = await self.solana.start(host, ports.solana, ports.jupiter)
        self._control = web.AppRunner(control_app(self), access_log=None)
        await self._control.setup()
        await web.TCPSite(self._control, host, ports.control).start()
        control = f"http://{host}:{self._control.addresses[0][1]}"
        return Endpoints(hyperliquid, solana.rpc, solana.jupiter, control)

    async def stop(self) -> None:
        """Close everything."""
        if self._control is not None:
            await self._control.cleanup()
        await self.solana.stop()
        await self.hyperliquid.stop()

    def _settled(self) -> int:
        self.sync()
        return len(self.tape)

    def sync(self) -> None:
        """Bring the venues to the clock's time, as any request would."""
        self.hyperliquid.advance()
        self.solana.chain.sync()


def market_of(
    seed: int,
    perps: Sequence[SymbolSpec],
    scenario: Scenario | None = None,
    shifts: Mapping[str, int] | None = None,
) -> Market:
    """The market that both venues of such a box follow."""
    return Market(seed, _with_tokens(perps), scenario, shifts=shifts)


def _with_tokens(perps: Sequence[SymbolSpec]) -> list[SymbolSpec]:
    """The perps, and what the chain's tokens follow: each symbol once, and SOL in any case."""
    known = {spec.symbol for spec in perps}
    return [*perps, *(spec for spec in (*PERPS, *TOKENS) if spec.symbol not in known and _on_chain(spec.symbol))]


def _on_chain(symbol: str) -> bool:
    return any(token.market == symbol for token in DEFAULT_TOKENS)
