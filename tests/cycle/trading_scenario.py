"""The pipeline against simulated venues and a real Postgres, with a clock that is set forward from cycle to cycle."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from eth_account import Account
from pydantic import SecretStr
from solders.keypair import Keypair
from sqlalchemy import Engine, text

from strandline.bars import roll_up
from strandline.cli.demo.seed import recorded
from strandline.configuration import make_settings
from strandline.controls.positions import insert_positions
from strandline.cycle.audit import EXECUTE, audit
from strandline.cycle.context import Context
from strandline.cycle.engine_step import run_engine
from strandline.cycle.observe import observe
from strandline.cycle.planning import plan_cycle
from strandline.cycle.runs import Summary, TaskRun
from strandline.cycle.venues import choose, execute
from strandline.history.prices import load_prices
from strandline.model.exact import Ratio
from strandline.model.position import PositionKey
from strandline.model.timeframe import Timeframe
from strandline.quality import check, check_signals
from strandline.settings import Settings
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline_sim.clock import RunningClock
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.prepared_markets import prepared_market
from strandline_sim.solana import DEFAULT_TOKENS
from strandline_sim.world import Endpoints, World
from tests.conftest import Database

MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
"""When the market of the demo begins to move."""

BACKFILL_LENGTH = timedelta(minutes=4_000)
PERPS = ("ETH", "SOL", "HYPE", "LINK", "DOGE")
TOKENS = {token.symbol: token for token in DEFAULT_TOKENS if token.symbol in {"JUP", "BONK"}}
WRAPPED_SOL = next(token for token in DEFAULT_TOKENS if token.symbol == "SOL")
ACCOUNT = Account.from_key("0x" + "7a" * 32)
WALLET = Keypair.from_seed(b"t" * 32)


_PRICES = ("open", "high", "low", "close", "volume")


class AdjustableClock(RunningClock):
    """A running clock that can be set forward."""

    offset = 0

    def _time(self) -> int:
        return super()._time() + self.offset

    def set_forward(self, instant: datetime) -> None:
        """Set the clock to this instant, unless it is past it."""
        self.offset += max(int(instant.timestamp() * 1000) - self._time(), 0)


@dataclass
class TradingScenario:
    """Simulated venues, a database, and the pipeline between them."""

    world: World
    clock: AdjustableClock
    context: Context
    ingest: Engine
    fed_until: datetime

    def now(self) -> datetime:
        """The time of the venues and of the pipeline."""
        return datetime.fromtimestamp(self.clock.now() / 1000, UTC)

    def feed(self, until: datetime) -> None:
        """Store what the sidecar would have received by now: trades of perps, polled prices of tokens."""
        if until > self.fed_until:
            for symbol in PERPS:
                self._trades(symbol, self.fed_until, until)
            for symbol in TOKENS:
                load_prices(self.ingest, self.instrument(symbol), self._prices(symbol, self.fed_until, until))
            self.fed_until = until

    def backfill(self) -> None:
        """Store what its backfill would have loaded: the venue's candles of perps, recorded prices of tokens."""
        for symbol in PERPS:
            self._candles(symbol, MOMENT - BACKFILL_LENGTH, MOMENT)
        for symbol in TOKENS:
            received: set[datetime] = set()
            load_prices(self.ingest, self.instrument(symbol), recorded(self.world.market, symbol, received, MOMENT))

    def instrument(self, symbol: str) -> int:
        """The id of the instrument with this symbol."""
        with self.ingest.connect() as connection:
            venue = "solana" if symbol in TOKENS else "hyperliquid"
            return int(
                connection.execute(
                    text("SELECT instrument_id FROM instruments WHERE (symbol, token_chain) = (:symbol, :venue)"),
                    {"symbol": symbol, "venue": venue},
                ).scalar_one()
            )

    def run(self, cycle: datetime, **special: Any) -> TaskRun:
        """A scheduled run, named as Airflow names it."""
        names = {"dag_id": "trading_cycle", "run_type": "scheduled", "task_id": "task", "try_number": 1}
        return TaskRun(cycle=cycle, run_id=f"scheduled__{cycle.isoformat()}", **{**names, **special})

    def cycle(self, cycle: datetime) -> dict[str, Summary]:
        """Run every step once, a few seconds after the boundary, and return their summaries."""
        self.clock.set_forward(cycle + timedelta(seconds=3))
        self.feed(cycle)
        run = self.run(cycle)
        summaries: dict[str, Summary] = {}
        summaries["observe"] = observe(self.context, run)
        summaries["roll_up"] = roll_up(self.context.database, cycle)._asdict()
        summaries["check"] = check(self.context.database, self.context.strategy, cycle, self.now())._asdict()
        summaries["engine"] = run_engine(self.context.database, self.context.strategy, cycle)._asdict()
        checked = check_signals(self.context.database, self.context.strategy, cycle, self.now())
        summaries["check_signals"] = checked._asdict()
        summaries["plan"] = plan_cycle(self.context, run)
        summaries["choose"] = choose(self.context, run)
        executed = {slug: execute(self.context, run, slug) for slug in summaries["choose"]["venues"]}
        summaries |= {f"execute {slug}": summary for slug, summary in executed.items()}
        reports = {f"{EXECUTE}{slug}": report for slug, report in executed.items()}
        summaries["audit"] = audit(self.context, run, dict.fromkeys(reports, "success"), reports.__getitem__)
        return summaries

    def _trades(self, symbol: str, begin: datetime, end: datetime) -> None:
        trades = self.world.market.trades(symbol, int(begin.timestamp() * 1000), int(end.timestamp() * 1000))
        number = self.instrument(symbol)
        rows = [
            {
                "ts": datetime.fromtimestamp(trade.time / 1000, UTC),
                "number": number,
                "id": trade.id,
                "price": float(trade.price),
                "size": float(trade.size),
                "side": trade.side.value[0],
            }
            for trade in trades
        ]
        with self.ingest.begin() as connection:
            connection.execute(
                text("SELECT ensure_tick_partitions(:first, :last)"), {"first": begin.date(), "last": end.date()}
            )
            connection.execute(
                text("""
                INSERT INTO ticks (ts, instrument_id, trade_id, price, size, side, kind, source)
                VALUES (:ts, :number, :id, :price, :size, :side, 't', 's')
                """),
                rows,
            )
            connection.execute(
                text("""
                INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM ticks
                WHERE instrument_id = :number AND ts >= :begin AND ts < :end
                """),
                {"number": number, "begin": begin, "end": end},
            )

    def _candles(self, symbol: str, begin: datetime, end: datetime) -> None:
        candles = self.world.market.candles(
            symbol, MINUTE_MS, int(begin.timestamp() * 1000), int(end.timestamp() * 1000)
        )
        number = self.instrument(symbol)
        with self.ingest.begin() as connection:
            connection.execute(
                text("""
                INSERT INTO venue_candles
                  (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
                SELECT :number, '1m', candle.*, :end FROM unnest(
                  CAST(:ts AS timestamptz[]), CAST(:open AS double precision[]), CAST(:high AS double precision[]),
                  CAST(:low AS double precision[]), CAST(:close AS double precision[]),
                  CAST(:volume AS double precision[]), CAST(:trades AS integer[])) AS candle
                """),
                {
                    "number": number,
                    "end": end,
                    "ts": [datetime.fromtimestamp(candle.time / 1000, UTC) for candle in candles],
                    **{name: [float(getattr(candle, name)) for candle in candles] for name in _PRICES},
                    "trades": [candle.trades for candle in candles],
                },
            )
            connection.execute(
                text(
                    """
                    INSERT INTO dirty_minutes
                    SELECT instrument_id, ts FROM venue_candles WHERE instrument_id = :number
                    """
                ),
                {"number": number},
            )

    def _prices(self, symbol: str, begin: datetime, end: datetime) -> Iterator[tuple[datetime, float]]:
        for seconds in range(2, int((end - begin).total_seconds()), 15):
            at = begin + timedelta(seconds=seconds)
            yield at, float(self.world.market.price(symbol, int(at.timestamp() * 1000)))


@contextmanager
def open_trading_scenario(database: Database, rows: Sequence[Timeframe] = (Timeframe.M1,)) -> Iterator[TradingScenario]:
    """Open it when the market begins to move, with 5,000 dollars in each account."""
    market = prepared_market("demo", int(MOMENT.timestamp() * 1000))
    clock = AdjustableClock(int((MOMENT - timedelta(seconds=30)).timestamp() * 1000))
    world = World(
        clock,
        seed=1,
        perps=market.perps,
        scenario=market.scenario,
        shifts=market.shifts,
        real_time=False,
        limited=False,
    )
    with served(world) as at:
        world.hyperliquid.deposit(ACCOUNT.address, Decimal(5000))
        world.solana.fund(WALLET.pubkey(), sol=1.0, tokens={"USDC": 5_000_000_000})
        settings = make_settings(
            hyperliquid_url=at.hyperliquid,
            solana_rpc_url=SecretStr(at.solana),
            jupiter_url=SecretStr(at.jupiter),
            hyperliquid_address=ACCOUNT.address,
            hyperliquid_key=SecretStr("0x" + "7a" * 32),
            solana_key=SecretStr(str(WALLET)),
        )
        app, ingest = database.engine(Role.APP), database.engine(Role.INGEST)
        scenario = TradingScenario(world, clock, _context(settings, app, clock), ingest, MOMENT)
        _register(scenario, rows)
        scenario.backfill()
        try:
            yield scenario
        finally:
            app.dispose()
            ingest.dispose()


def _context(settings: Settings, app: Engine, clock: AdjustableClock) -> Context:
    def now() -> datetime:
        return datetime.fromtimestamp(clock.now() / 1000, UTC)

    return Context(settings, load_strategy(settings), app, now, "test")


def _register(scenario: TradingScenario, timeframes: Sequence[Timeframe]) -> None:
    """Store the instruments as the sidecar does, and add the rows that trade them."""
    listed = [("hyperliquid", "perps", symbol, symbol, 10.0 ** -scenario.world.market.symbols[symbol].size_decimals, 10)
              for symbol in PERPS]  # fmt: skip
    listed += [("solana", "onchain_crypto", str(token.mint), token.symbol, 10.0**-token.decimals, 1)
               for token in (*TOKENS.values(), WRAPPED_SOL)]  # fmt: skip
    with scenario.ingest.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
            VALUES (:chain, :book, :token, :symbol, :lot, :least)
            """),
            [dict(zip(("chain", "book", "token", "symbol", "lot", "least"), one, strict=True)) for one in listed],
        )
    venues = {"hyperliquid": HYPERLIQUID_PERPS, "solana": SOLANA_ONCHAIN}
    keys = [
        PositionKey(venue=venues[chain], token_contract=token, timeframe=timeframe)
        for chain, _, token, symbol, *_ in listed
        if not (chain == "solana" and symbol == "SOL")
        for timeframe in timeframes
    ]
    with scenario.context.database.begin() as connection:
        insert_positions(connection, [(key, Ratio(1)) for key in keys])


@contextmanager
def served(world: World) -> Iterator[Endpoints]:
    """Serve the venues in another thread, because the pipeline waits for their responses."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(world.start(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(world.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
