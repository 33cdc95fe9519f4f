"""The sidecar beside simulated venues and a database of its own, with time in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from strandline.feeds.sidecar import Sidecar
from strandline.feeds.tick_buffer import TickBuffer
from strandline.model.venue import VenueKey
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.feed import HyperliquidFeed
from strandline.venues.solana.feed import JupiterFeed
from strandline_sim.clock import Clock, SteppedClock
from strandline_sim.world import Endpoints, World

START = 1_790_000_040_000
"""The beginning of a minute."""
BEGIN = datetime.fromtimestamp(START / 1000, UTC)
PATIENCE = 20.0

Told = tuple[datetime, int, float, float, str]


@dataclass
class Box:
    """What a test looks at."""

    world: World
    at: Endpoints
    url: URL
    buffer: TickBuffer
    newcomers: list[tuple[VenueKey, Mapping[str, int]]]

    def ask(self, statement: str, **values: object) -> list[Any]:
        """As the superuser, in a transaction that commits."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def one(self, statement: str, **values: object) -> Any:
        """The first value of the first row; None without a row."""
        rows = self.ask(statement, **values)
        return rows[0][0] if rows else None

    def add_row(self, token: str, venue: str = "hyperliquid/perps", timeframe: str = "1h") -> None:
        """A row that shall be traded."""
        key = VenueKey.parse(venue)
        self.ask(
            "INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)"
            " VALUES (gen_random_uuid(), :chain, :book, :token, :timeframe, 1)",
            chain=key.token_chain,
            book=key.book_id,
            token=token,
            timeframe=timeframe,
        )

    async def step(self, seconds: float, at_once: int = 500) -> None:
        """Let the venues' time go on, and their messages through."""
        assert isinstance(self.world.clock, SteppedClock)
        for _ in range(int(seconds * 1000) // at_once):
            await self.world.clock.step(at_once)
            self.world.sync()
            await asyncio.sleep(0.001)

    async def streams(self, *coins: str) -> None:
        """Wait until exactly these coins, or the majors, are subscribed to."""
        wanted = set(coins) or {"BTC", "ETH", "SOL", "HYPE", "BNB"}
        await until(lambda: self.subscribed() == wanted)

    def subscribed(self) -> set[str]:
        """The coins whose trades somebody listens to."""
        return {topic.coin for topic in self.world.hyperliquid._hub.topics if topic.kind == "trades"}

    def happened(self, coin: str, since: int) -> set[Told]:
        """The trades that the market had until now."""
        trades = self.world.market.trades(coin, since, self.world.clock.now())
        return {(instant(one.time), one.id, float(one.price), float(one.size), str(one.side)[0]) for one in trades}

    def stored(self, coin: str, since: int) -> set[Told]:
        """The ticks that the table has."""
        rows = self.ask(
            "SELECT t.ts, t.trade_id, t.price, t.size, t.side FROM ticks t JOIN instruments i USING (instrument_id)"
            " WHERE i.token_contract = :coin AND i.token_chain = 'hyperliquid' AND t.ts >= :since",
            coin=coin,
            since=instant(since),
        )
        return {tuple(row) for row in rows}


def instant(milliseconds: int) -> datetime:
    """As the database has it."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


async def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for it, and fail if it never comes."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(url: URL, clock: Clock | None = None, **options: Any) -> AsyncIterator[Box]:
    """Simulated venues; nobody listens yet."""
    world = World(clock or SteppedClock(START), seed=3, **({"limited": False, "real_time": False} | options))
    at = await world.start()
    try:
        yield Box(world, at, url, TickBuffer(), [])
    finally:
        await world.stop()


@asynccontextmanager
async def listening(box: Box, buffer: TickBuffer | None = None) -> AsyncIterator[None]:
    """The sidecar, until the block ends; then everything that was heard must have been written."""
    buffer = box.buffer if buffer is None else buffer

    def clock() -> datetime:
        return instant(box.world.clock.now())

    feeds: list[HyperliquidFeed | JupiterFeed] = [
        HyperliquidFeed(box.at.hyperliquid, buffer, clock),
        JupiterFeed(box.at.jupiter, buffer, clock),
    ]
    open_connection = partial(connect_async, box.url, Role.INGEST)
    end = asyncio.Event()
    sidecar = Sidecar(open_connection, buffer, feeds, clock, lambda *new: box.newcomers.append(new))
    run = asyncio.create_task(sidecar.run(end))
    ended = asyncio.create_task(_fail_with(run, asyncio.current_task()))
    try:
        yield
    finally:
        end.set()
        ended.cancel()
        assert await run == 0, "ticks were not written"


async def _fail_with(run: "asyncio.Task[int]", test: "asyncio.Task[Any] | None") -> None:
    """A sidecar that falls over takes its test along at once."""
    await asyncio.wait([run])
    if test is not None:
        test.cancel()


def story(url: URL, tell: Callable[[Box], Awaitable[None]], *, clock: Clock | None = None, **options: Any) -> None:
    """Open the box, listen, tell, and end."""

    async def inside() -> None:
        async with opened(url, clock, **options) as box, listening(box):
            await tell(box)

    asyncio.run(inside())
