"""A database in which one row is ready to buy: what a cycle reads when it plans, without the hour of trading before."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event, text

from strandline.configuration import make_settings
from strandline.cycle.context import Context
from strandline.cycle.planning import plan_cycle
from strandline.cycle.runs import Summary, TaskRun
from strandline.model.canonical import canonical_bytes
from strandline.model.position import PositionKey
from strandline.model.signal import Flag, Signal
from strandline.model.timeframe import Timeframe
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.pm.build import signal
from tests.store.rows import insert

T = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAR = T - timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
ATTEMPT = T - timedelta(hours=5)
KEY = PositionKey(venue=HYPERLIQUID_PERPS, token_contract="BTC", timeframe=Timeframe.M15)
POSITION: UUID = KEY.position_id
ADDRESS = "0xabc"


class PlanningDatabase:
    """Instrument, row, adopted generation, cash, mark, P and passed checks for cycle T; signals are the test's own."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self.database = database
        self.now = T + timedelta(seconds=3)
        settings = make_settings()
        self.context = Context(settings, load_strategy(settings), engine, lambda: self.now, "test")
        with database.session() as connection:
            insert(connection, "instruments")
            insert(connection, "positions", position_id=POSITION, timeframe="15m", weight=1)
            insert(connection, "engine_states", timeframe="15m", bar_ts=BAR, bar_count=1000, adopted=True, ready=True)
            insert(connection, "venue_accounts")
            insert(connection, "cash", amount=100_000)
            self.prepare(connection, T)

    def prepare(self, connection: Connection, cycle: datetime) -> None:
        """What the steps before planning leave: a mark, the last minute's bar, and checks without findings."""
        insert(connection, "marks", cycle_t=cycle, price=100, observed_at=cycle)
        self.add_bar(connection, cycle - MINUTE, close=100)
        for suite in ("ticks", "bars", "rows"):
            insert(connection, "quality_runs", cycle_t=cycle, suite=suite)

    def add_bar(self, connection: Connection, ts: datetime, close: float, timeframe: str = "1m") -> None:
        """A bar at one price."""
        prices = {"open": close, "high": close, "low": close, "close": close}
        insert(connection, "bars", ts=ts, timeframe=timeframe, **prices)

    def add_signal(self, *flags: Flag, **special: Any) -> Signal:
        """A signal of the row's series, by default of the newest bar."""
        added = signal(*flags, **{"attempt_id": ATTEMPT} | special)
        with self.database.session() as connection:
            insert(
                connection,
                "features",
                timeframe="15m",
                ts=added.bar_ts,
                bar_revision=added.bar_revision,
                generation=added.generation,
                uptrend_engine_v4=canonical_bytes(added).decode(),
            )
        return added

    def run(self, cycle: datetime = T, **special: Any) -> TaskRun:
        """A scheduled run of this cycle."""
        names = {"dag_id": "trading_cycle", "run_id": "r", "run_type": "scheduled", "task_id": "plan_intents"}
        return TaskRun(**{"cycle": cycle, "try_number": 1, **names, **special})

    def plan(self, cycle: datetime = T, **special: Any) -> Summary:
        """Plan this cycle."""
        return plan_cycle(self.context, self.run(cycle, **special))

    def ask(self, query: str, **values: object) -> Sequence[Any]:
        """Rows of a query."""
        with self.database.session() as connection:
            return connection.execute(text(query), values).all()

    def change(self, statement: str, **values: object) -> None:
        """Commit a statement."""
        with self.database.session() as connection:
            connection.execute(text(statement), values)

    @contextmanager
    def between_statements(self, number: int, act: Callable[[], None]) -> Iterator[list[str]]:
        """Call `act` once, after this many statements of the pipeline; the statements so far."""
        seen: list[str] = []

        def after(*args: Any) -> None:
            seen.append(args[2])
            if len(seen) == number:
                act()

        event.listen(self.context.database, "after_cursor_execute", after)
        try:
            yield seen
        finally:
            event.remove(self.context.database, "after_cursor_execute", after)


@contextmanager
def planning_database(database: Database) -> Iterator[PlanningDatabase]:
    """Opened as the pipeline's role."""
    engine = database.engine(Role.APP)
    try:
        yield PlanningDatabase(database, engine)
    finally:
        engine.dispose()
