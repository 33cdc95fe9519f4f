"""The control port: tape, journal, clock, faults and deposits, for tests and people; trading clients do not use it."""

from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import msgspec
from aiohttp import web
from solders.pubkey import Pubkey

from strandline_sim.clock import Clock, SteppedClock
from strandline_sim.faults import Faults, Rule
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.solana import SolanaVenue
from strandline_sim.tape import Tape
from strandline_sim.web import decode_json, json_response


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """A deposit: USDC for a Hyperliquid address, or SOL and raw token amounts for a Solana wallet.

    With `once` it is skipped if the account exists already.
    """

    address: str
    usdc: str | None = None
    sol: float = 0.0
    tokens: dict[str, int] = {}
    once: bool = False


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """How far to advance the clock."""

    milliseconds: int


class Simulation(Protocol):
    """What the control port needs of a simulation; implemented by `strandline_sim.world.World`."""

    clock: Clock
    tape: Tape
    faults: Faults
    hyperliquid: HyperliquidVenue
    solana: SolanaVenue

    def sync(self) -> None:
        """Bring the venues to the clock's time."""


def control_app(simulation: Simulation) -> web.Application:
    """Make the application: its routes return JSON, and 400 with the reason for an invalid request."""
    handlers = _Handlers(simulation)
    app = web.Application(middlewares=[_errors_as_json])
    app.add_routes(
        [
            web.get("/tape", handlers.tape),
            web.get("/journal", handlers.journal),
            web.get("/clock", handlers.clock),
            web.post("/clock/step", handlers.step),
            web.post("/faults", handlers.add_fault),
            web.delete("/faults", handlers.clear_faults),
            web.post("/deposit", handlers.deposit),
        ]
    )
    return app


@web.middleware
async def _errors_as_json(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401  aiohttp's own type
    try:
        answer: web.StreamResponse = await handler(request)
    except (ValueError, KeyError, InvalidOperation) as error:
        return json_response({"error": str(error)}, 400)
    return answer


class _Handlers:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def tape(self, request: web.Request) -> web.Response:
        """Return the tape as JSON lines, filtered by `?venue=`, `?kind=` and `?after=NUMBER`."""
        self._simulation.sync()
        query = request.query
        found = self._simulation.tape.entries(
            venue=query.get("venue"), kind=query.get("kind"), after=int(query.get("after", "0"))
        )
        return web.Response(body=b"".join(entry.line() for entry in found), content_type="application/jsonl")

    async def journal(self, _: web.Request) -> web.Response:
        """Return the injected faults."""
        return json_response([line._asdict() for line in self._simulation.faults.journal])

    async def clock(self, _: web.Request) -> web.Response:
        """Return the current time."""
        return json_response(
            {"now": self._simulation.clock.now(), "stepped": isinstance(self._simulation.clock, SteppedClock)}
        )

    async def step(self, request: web.Request) -> web.Response:
        """Advance the clock."""
        clock = self._simulation.clock
        if not isinstance(clock, SteppedClock):
            raise ValueError("this clock runs by itself; start with --stepped")  # noqa: TRY004  a wrong request
        await clock.step(decode_json(await request.read(), Step).milliseconds)
        self._simulation.sync()
        return await self.clock(request)

    async def add_fault(self, request: web.Request) -> web.Response:
        """Add a fault rule."""
        self._simulation.faults.add(decode_json(await request.read(), Rule))
        return json_response({"ok": True})

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Remove all fault rules."""
        self._simulation.faults.clear()
        return json_response({"ok": True})

    async def deposit(self, request: web.Request) -> web.Response:
        """Deposit money into an account."""
        deposit = decode_json(await request.read(), Deposit)
        hyperliquid, solana = self._simulation.hyperliquid, self._simulation.solana
        if deposit.usdc is not None:
            if not (deposit.once and hyperliquid.exchange.account(deposit.address.lower())):
                hyperliquid.deposit(deposit.address, Decimal(deposit.usdc))
        elif not (deposit.once and solana.accounts.get(Pubkey.from_string(deposit.address))):
            solana.fund(Pubkey.from_string(deposit.address), deposit.sol, deposit.tokens)
        return json_response({"ok": True})
