"""The simulated Hyperliquid, served on one port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from strandline_sim.clock import Clock
from strandline_sim.command_log import CommandLog
from strandline_sim.faults import Faults
from strandline_sim.hyperliquid.broadcaster import Broadcaster
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.feeds import Feeds
from strandline_sim.hyperliquid.info import Info
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.market import MarketData, perpetuals
from strandline_sim.hyperliquid.public_data import PublicData
from strandline_sim.hyperliquid.request_auth import RequestAuth
from strandline_sim.hyperliquid.rest import Reply, Rest, route_of
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.stream import Stream
from strandline_sim.tape import Tape
from strandline_sim.web import fault_middleware, json_response, runner_of


class HyperliquidVenue:
    """An exchange with REST and WebSocket.

    `deposits` are the starting balances of accounts; any other address gets `starting_usdc` when a client first asks
    about it. With `nonce_window` nonces must be near the venue's time, which needs a clock in real time.
    """

    def __init__(
        self,
        market: MarketData,
        clock: Clock,
        tape: Tape,
        faults: Faults | None = None,
        *,
        deposits: Mapping[str, Decimal] | None = None,
        starting_usdc: Decimal | None = None,
        rules: Rules | None = None,
        limits: Limits | None = None,
        nonce_window: bool = True,
        command_log: CommandLog | None = None,
    ) -> None:
        command_log = command_log or CommandLog(clock)
        self._clock = clock
        self._faults = faults or Faults()
        limits = limits or Limits()
        self.exchange = Exchange(market, perpetuals(market), tape, clock.now(), rules)
        self._public = PublicData(self.exchange)
        self._auth = RequestAuth(self.exchange, nonce_window=nonce_window, limit_requests=limits.requests_per_account)
        self._broadcaster = Broadcaster(clock, self._faults)
        self._feeds = Feeds(self.exchange, self._public, self._auth.agents, self._broadcaster)
        info = Info(self.exchange, self._auth, self._public, self.deposit, starting_usdc)
        self.rest = Rest(self.exchange, self._auth, info, self._feeds, clock, self._faults, limits, command_log)
        coins = set(self.exchange.by_name)
        self._stream = Stream(self._broadcaster, self._feeds, self.rest, clock, coins, limits)
        self._runner: web.AppRunner | None = None
        self._record_deposit = command_log.register("deposit", self._deposit)
        for address, usdc in (deposits or {}).items():
            self.deposit(address, usdc)

    def deposit(self, address: str, usdc: Decimal) -> None:
        """Deposit cash; the first deposit creates the account."""
        self._record_deposit({"address": address, "usdc": str(usdc)})

    def advance(self) -> None:
        """Bring the exchange to the clock's time, as any request does."""
        self.rest.advance()

    def app(self) -> web.Application:
        """Make the application."""
        inject_faults = fault_middleware(self._faults, self._clock, lambda request, body: route_of(request.path, body))
        app = web.Application(middlewares=[inject_faults])
        app.add_routes(
            [
                web.post("/info", self._info),
                web.post("/exchange", self._exchange),
                web.get("/ws", self._stream.handle),
            ]
        )
        app.cleanup_ctx.append(self._advancing)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Start the server, on any free port by default; return its base URL."""
        self._runner = runner_of(self.app())
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop the server."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _deposit(self, command: dict[str, Any]) -> None:
        self.advance()
        self.exchange.deposit(command["address"].lower(), Decimal(command["usdc"]))

    async def _info(self, request: web.Request) -> web.Response:
        return _response(await self.rest.info(await request.read(), request.remote or ""))

    async def _exchange(self, request: web.Request) -> web.Response:
        return _response(self.rest.exchange(await request.read(), request.remote or ""))

    async def _advancing(self, _: web.Application) -> AsyncIterator[None]:
        """Advance the exchange while the application runs."""
        task = asyncio.create_task(self._advance_until_cancelled())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _advance_until_cancelled(self) -> None:
        interval = self.exchange.rules.update_ms
        while True:
            now = self._clock.now()
            await self._clock.wait_until(now - now % interval + interval)
            self.advance()
            await self._stream.close_idle()
            await asyncio.sleep(0)  # let other tasks run even with a fast clock

    async def _close_sockets(self, _: web.Application) -> None:
        for socket in list(self._broadcaster.sockets):
            await socket.close()


def _response(reply: Reply) -> web.Response:
    status, answer = reply
    return web.Response(text=answer, status=status) if status == 422 else json_response(answer, status)
