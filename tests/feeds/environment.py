"""The sidecar with simulated venues and a database of its own, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from strandline.feeds.shard import SidecarName
from strandline.feeds.sidecar import Sidecar
from strandline.feeds.spool import Spool
from strandline.feeds.tick_buffer import TickBuffer
from strandline.model.venue import VenueKey
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.feed import HyperliquidFeed
from strandline.venues.solana.feed import JupiterFeed
from strandline_sim.clock import Clock, SteppedClock
from strandline_sim.world import Endpoints, World

START_MS = 1_790_000_040_000
"""The beginning of a minute."""
START = datetime.fromtimestamp(START_MS / 1000, UTC)
TIMEOUT = 20.0

Trade = tuple[datetime, int, float, float, str]


@dataclass
class Environment:
    """Simulated venues, the database, and what the sidecar reported."""

    world: World
    endpoints: Endpoints
    url: URL
    buffer: TickBuffer
    new_instruments: list[tuple[VenueKey, Mapping[str, int]]]

    def now(self) -> datetime:
        """The venues' time."""
        return instant(self.world.clock.now())

    def query(self, statement: str, **values: object) -> list[Any]:
        """Run a statement as the superuser, in a transaction that commits."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def scalar(self, statement: str, **values: object) -> Any:
        """The first value of the first row; None without a row."""
        rows = self.query(statement, **values)
        return rows[0][0] if rows else None

    def add_row(self, token: str, venue: str = "hyperliquid/perps", timeframe: str = "1h") -> None:
        """Add a row to be traded."""
        key = VenueKey.parse(venue)
        self.query(
            "INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)"
            " VALUES (gen_random_uuid(), :chain, :book, :token, :timeframe, 1)",
            chain=key.token_chain,
            book=key.book_id,
            token=token,
            timeframe=timeframe,
        )

    async def advance(self, seconds: float, step_ms: int = 500) -> None:
        """Let the venues' clock go on in steps, and their messages through."""
        assert isinstance(self.world.clock, SteppedClock)
        for _ in range(int(seconds * 1000) // step_ms):
            await self.world.clock.step(step_ms)
            self.world.sync()
            await asyncio.sleep(0.001)

    async def wait_for_subscriptions(self, *coins: str) -> None:
        """Wait until exactly these coins, or the majors, are subscribed to."""
        wanted = set(coins) or {"BTC", "ETH", "SOL", "HYPE", "BNB"}
        await until(lambda: self.subscriptions() == wanted)

    def subscriptions(self) -> set[str]:
        """The coins whose trades are subscribed to."""
        return {topic.coin for topic in self.world.hyperliquid._broadcaster.topics if topic.kind == "trades"}

    def market_trades(self, coin: str, since: int) -> set[Trade]:
        """The trades that the simulated market has made until now."""
        trades = self.world.market.trades(coin, since, self.world.clock.now())
        return {
            (instant(trade.time), trade.id, float(trade.price), float(trade.size), str(trade.side)[0])
            for trade in trades
        }

    def stored_ticks(self, coin: str, since: int) -> set[Trade]:
        """The ticks in the table."""
        rows = self.query(
            "SELECT t.ts, t.trade_id, t.price, t.size, t.side FROM ticks t JOIN instruments i USING (instrument_id)"
            " WHERE i.token_contract = :coin AND i.token_chain = 'hyperliquid' AND t.ts >= :since",
            coin=coin,
            since=instant(since),
        )
        return {tuple(row) for row in rows}


def instant(milliseconds: int) -> datetime:
    """A simulated time as the database stores it."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


async def until(holds: Callable[[], bool], seconds: float = TIMEOUT) -> None:
    """Wait until it holds, and fail if it never does."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def simulated_venues(url: URL, clock: Clock | None = None, **options: Any) -> AsyncIterator[Environment]:
    """Start the venues, without a sidecar."""
    world = World(clock or SteppedClock(START_MS), seed=3, **({"limited": False, "real_time": False} | options))
    endpoints = await world.start()
    try:
        yield Environment(world, endpoints, url, TickBuffer(lambda: instant(world.clock.now())), [])
    finally:
        await world.stop()


@asynccontextmanager
async def running_sidecar(
    env: Environment, buffer: TickBuffer | None = None, name: SidecarName | None = None, spool: Spool | None = None
) -> AsyncIterator[None]:
    """Run the sidecar until the block ends; then every tick that was received must have been written."""
    buffer = env.buffer if buffer is None else buffer

    feeds: list[HyperliquidFeed | JupiterFeed] = [
        HyperliquidFeed(env.endpoints.hyperliquid, buffer, env.now),
        JupiterFeed(env.endpoints.jupiter, buffer, env.now),
    ]
    open_connection = partial(connect_async, env.url, Role.INGEST)
    stop = asyncio.Event()
    sidecar = Sidecar(
        open_connection,
        buffer,
        feeds,
        env.now,
        lambda *new: env.new_instruments.append(new),
        name or SidecarName(),
        spool=spool,
    )
    run = asyncio.create_task(sidecar.run(stop))
    crash = asyncio.create_task(_cancel_when_done(run, asyncio.current_task()))
    try:
        yield
    finally:
        stop.set()
        crash.cancel()
        assert await run == 0, "ticks were not written"


async def _cancel_when_done(run: "asyncio.Task[int]", test: "asyncio.Task[Any] | None") -> None:
    """Fail the test as soon as the sidecar crashes."""
    await asyncio.wait([run])
    if test is not None:
        test.cancel()


def run_with_sidecar(
    url: URL, scenario: Callable[[Environment], Awaitable[None]], *, clock: Clock | None = None, **options: Any
) -> None:
    """Start venues and sidecar, run the scenario, and stop them."""

    async def inside() -> None:
        async with simulated_venues(url, clock, **options) as env, running_sidecar(env):
            await scenario(env)

    asyncio.run(inside())
