"""The control port: the tape, the journal, the clock and the faults, for tests and people. Clients never see it."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from solders.pubkey import Pubkey

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import Rule
from strandline_sim.web import json_response

if TYPE_CHECKING:
    from strandline_sim.world import World


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


def control_app(world: "World") -> web.Application:
    """The routes; each answers JSON, and 400 with the reason for what makes no sense."""
    control = _Control(world)
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
    def __init__(self, world: "World") -> None:
        self._world = world

    async def tape(self, request: web.Request) -> web.Response:
        """JSON lines; `?venue=`, `?kind=` and `?after=NUMBER` narrow it."""
        self._world.sync()
        query = request.query
        found = self._world.tape.entries(
            venue=query.get("venue"), kind=query.get("kind"), after=int(query.get("after", "0"))
        )
        return web.Response(body=b"".join(entry.line() for entry in found), content_type="application/jsonl")

    async def journal(self, _: web.Request) -> web.Response:
        """What was injected."""
        return json_response([line._asdict() for line in self._world.faults.journal])

    async def clock(self, _: web.Request) -> web.Response:
        """What time it is."""
        return json_response({"now": self._world.clock.now(), "stepped": isinstance(self._world.clock, SteppedClock)})

    async def step(self, request: web.Request) -> web.Response:
        """Let time go on."""
        clock = self._world.clock
        if not isinstance(clock, SteppedClock):
            raise ValueError("this clock runs by itself; start with --stepped")  # noqa: TRY004  a wrong request
        await clock.step(msgspec.json.decode(await request.read(), type=Step).milliseconds)
        self._world.sync()
        return await self.clock(request)

    async def add_fault(self, request: web.Request) -> web.Response:
        """Order one more fault."""
        self._world.faults.add(msgspec.json.decode(await request.read(), type=Rule))
        return json_response({"ok": True})

    async def clear_faults(self, _: web.Request) -> web.Response:
        """No more faults."""
        self._world.faults.clear()
        return json_response({"ok": True})

    async def deposit(self, request: web.Request) -> web.Response:
        """Give an account something to trade with."""
        gift = msgspec.json.decode(await request.read(), type=Deposit)
        hyperliquid, solana = self._world.hyperliquid, self._world.solana
        if gift.usdc is not None:
            if not (gift.once and hyperliquid.exchange.account(gift.address.lower())):
                hyperliquid.deposit(gift.address, Decimal(gift.usdc))
        elif not (gift.once and solana.accounts.get(Pubkey.from_string(gift.address))):
            solana.fund(Pubkey.from_string(gift.address), gift.sol, gift.tokens)
        return json_response({"ok": True})
