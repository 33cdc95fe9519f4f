"""The control port: the tape, the journal, the clock and the faults, for tests and people. Clients never see it."""

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
from strandline_sim.web import json_response


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """Money from outside: USDC for a Hyperliquid address, or SOL and raw token amounts for a Solana wallet.

    `once` gives nothing to an address that had something already.
    """

    address: str
    usdc: str | None = None
    sol: float = 0.0
    tokens: dict[str, int] = {}
    once: bool = False


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """How far time goes on."""

    milliseconds: int


class Simulation(Protocol):
    """What the control port controls; `strandline_sim.world.World` is one."""

    clock: Clock
    tape: Tape
    faults: Faults
    hyperliquid: HyperliquidVenue
    solana: SolanaVenue

    def sync(self) -> None:
        """Bring the venues to the clock's time."""


def control_app(simulation: Simulation) -> web.Application:
    """The routes; each answers JSON, and 400 with the reason for what makes no sense."""
    control = _Control(simulation)
    app = web.Application(middlewares=[_in_words])
    app.add_routes(
        [
            web.get("/tape", control.tape),
            web.get("/journal", control.journal),
            web.get("/clock", control.clock),
            web.post("/clock/step", control.step),
            web.post("/faults", control.add_fault),
            web.delete("/faults", control.clear_faults),
            web.post("/deposit", control.deposit),
        ]
    )
    return app


@web.middleware
async def _in_words(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401  aiohttp's own type
    try:
        answer: web.StreamResponse = await handler(request)
    except (ValueError, KeyError, InvalidOperation) as error:
        return json_response({"error": str(error)}, 400)
    return answer


class _Control:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def tape(self, request: web.Request) -> web.Response:
        """JSON lines; `?venue=`, `?kind=` and `?after=NUMBER` narrow it."""
        self._simulation.sync()
        query = request.query
        found = self._simulation.tape.entries(
            venue=query.get("venue"), kind=query.get("kind"), after=int(query.get("after", "0"))
        )
        return web.Response(body=b"".join(entry.line() for entry in found), content_type="application/jsonl")

    async def journal(self, _: web.Request) -> web.Response:
        """What was injected."""
        return json_response([line._asdict() for line in self._simulation.faults.journal])

    async def clock(self, _: web.Request) -> web.Response:
        """What time it is."""
        return json_response(
            {"now": self._simulation.clock.now(), "stepped": isinstance(self._simulation.clock, SteppedClock)}
        )

    async def step(self, request: web.Request) -> web.Response:
        """Let time go on."""
        clock = self._simulation.clock
        if not isinstance(clock, SteppedClock):
            raise ValueError("this clock runs by itself; start with --stepped")  # noqa: TRY004  a wrong request
        await clock.step(msgspec.json.decode(await request.read(), type=Step).milliseconds)
        self._simulation.sync()
        return await self.clock(request)

    async def add_fault(self, request: web.Request) -> web.Response:
        """Order one more fault."""
        self._simulation.faults.add(msgspec.json.decode(await request.read(), type=Rule))
        return json_response({"ok": True})

    async def clear_faults(self, _: web.Request) -> web.Response:
        """No more faults."""
        self._simulation.faults.clear()
        return json_response({"ok": True})

    async def deposit(self, request: web.Request) -> web.Response:
        """Give an account something to trade with."""
        gift = msgspec.json.decode(await request.read(), type=Deposit)
        hyperliquid, solana = self._simulation.hyperliquid, self._simulation.solana
        if gift.usdc is not None:
            if not (gift.once and hyperliquid.exchange.account(gift.address.lower())):
                hyperliquid.deposit(gift.address, Decimal(gift.usdc))
        elif not (gift.once and solana.accounts.get(Pubkey.from_string(gift.address))):
            solana.fund(Pubkey.from_string(gift.address), gift.sol, gift.tokens)
        return json_response({"ok": True})
