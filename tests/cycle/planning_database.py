"""A database in which one row can be planned: what the steps before planning leave, without running them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event, text

from strandline.configuration import make_settings
from strandline.cycle.context import Context
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.cycle.inputs import read_inputs
from strandline.cycle.planning import plan_cycle
from strandline.cycle.runs import Summary, TaskRun
from strandline.model.canonical import canonical_bytes
from strandline.model.position import PositionKey
from strandline.model.signal import Flag, Signal
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import CycleInputs, RowInputs
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.pm.sample_inputs import signal
from tests.store.rows import insert

T = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAR = T - timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
EARLIER = T - CYCLE_LENGTH
LATER = T + CYCLE_LENGTH
ATTEMPT = T - timedelta(hours=5)
KEY = PositionKey(venue=HYPERLIQUID_PERPS, token_contract="BTC", timeframe=Timeframe.M15)
POSITION: UUID = KEY.position_id
MARK, CLOSE = 100, 101
"""The cycle's mark, and the close of the minute before it, which is P."""

SUITES = ("ticks", "bars", "rows", "signals")


class PlanningDatabase:
    """One row without signals: instrument, adopted generation, cash; and for cycle T a mark, P and passed checks."""

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
            insert(connection, "cycles", cycle_t=EARLIER)
            self.prepare(connection, T)

    def prepare(self, connection: Connection, cycle: datetime, close: float = CLOSE) -> None:
        """Store a mark, the last minute's bar, and checks without findings."""
        insert(connection, "marks", cycle_t=cycle, price=MARK, observed_at=cycle)
        insert(connection, "bars", ts=cycle - MINUTE, timeframe="1m", **at_one_price(close))
        for suite in SUITES:
            insert(connection, "quality_runs", cycle_t=cycle, suite=suite)

    def prepare_next(self, cycle: datetime = LATER, close: float = CLOSE) -> None:
        """Prepare another cycle, and let it be that time."""
        self.now = cycle + timedelta(seconds=3)
        with self.database.session() as connection:
            self.prepare(connection, cycle, close)

    def add(self, table: str, **special: object) -> None:
        """Commit the table's good row with these values."""
        with self.database.session() as connection:
            insert(connection, table, **special)

    def add_bar(self, ts: datetime, close: float, timeframe: str = "1m") -> None:
        """Commit a bar at one price."""
        self.add("bars", ts=ts, timeframe=timeframe, **at_one_price(close))

    def add_finding(self, severity: str, suite: str = "bars", cycle: datetime = T, **special: object) -> None:
        """Check the cycle again, now with one finding."""
        with self.database.session() as connection:
            insert(connection, "quality_runs", cycle_t=cycle, suite=suite)
            run = connection.scalar(text("SELECT max(quality_run_id) FROM quality_runs"))
            insert(connection, "quality_findings", quality_run_id=run, severity=severity, **special)

    def add_holding(self, trade_no: int = 1, **special: object) -> None:
        """Let the row hold 10 units, bought an hour ago at 100."""
        bought = {"quantity": 10, "average_entry": 100, "invested": 1000, "first_fill_at": T - timedelta(hours=1)}
        self.add("holdings", position_id=POSITION, trade_no=trade_no, **(bought | special))

    def add_intent(self, rule: str, number: int = 1, **special: object) -> UUID:
        """Commit an intent of the cycle before; by default an entry that nobody has claimed."""
        intent_id = UUID(int=number)
        row: dict[str, object] = {"cycle_t": EARLIER, "source_bar": BAR - MINUTE, "expires_at": T + 5 * MINUTE}
        if rule == "trim":
            row |= {"decision": "trim", "notional": None, "quantity": 1, "reduce_only": True}
        row |= {"intent_id": intent_id, "position_id": POSITION, "rule": rule, "trade_no": 1}
        self.add("intents", **(row | special))
        return intent_id

    def add_filled_intent(self, rule: str, number: int = 1, **special: object) -> None:
        """Commit an intent of the cycle before that was filled."""
        intent_id = self.add_intent(rule, number, status="done", **special)
        order = {"order_id": intent_id, "intent_id": intent_id, "client_order_id": str(number), "nonce": number}
        self.add("orders", status="filled", resolved_at=T, **order)
        self.add("fills", order_id=intent_id, venue_fill_id=str(number))

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
                restep=added.restep,
                uptrend_engine_v4=canonical_bytes(added).decode(),
            )
        return added

    def run(self, cycle: datetime = T, **special: Any) -> TaskRun:
        """A scheduled run of this cycle."""
        names = {"dag_id": "trading_cycle", "run_id": "r", "run_type": "scheduled", "task_id": "plan_intents"}
        return TaskRun(**{"cycle": cycle, "try_number": 1, **names, **special})

    def read(self, cycle: datetime = T, **special: Any) -> CycleInputs:
        """Read the inputs of this cycle's plan."""
        with self.database.session(Role.APP) as connection:
            return read_inputs(connection, self.context, self.run(cycle, **special)).inputs

    def read_row(self, cycle: datetime = T, **special: Any) -> RowInputs:
        """Read the inputs of the row."""
        return self.read(cycle, **special).rows[0]

    def plan(self, cycle: datetime = T, **special: Any) -> Summary:
        """Plan this cycle."""
        return plan_cycle(self.context, self.run(cycle, **special))

    def rows(self, query: str, **values: object) -> Sequence[Any]:
        """Return the rows of a query."""
        with self.database.session() as connection:
            return connection.execute(text(query), values).all()

    def change(self, statement: str, **values: object) -> None:
        """Commit a statement."""
        with self.database.session() as connection:
            connection.execute(text(statement), values)

    @contextmanager
    def between_statements(self, number: int, act: Callable[[], None]) -> Iterator[list[str]]:
        """Call `act` once, after this many statements of the pipeline; yield the statements so far."""
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


def at_one_price(price: float) -> dict[str, float]:
    """The prices of a bar in which nothing moved."""
    return dict.fromkeys(("open", "high", "low", "close"), price)


@contextmanager
def planning_database(database: Database) -> Iterator[PlanningDatabase]:
    """Open it with the pipeline's role."""
    engine = database.engine(Role.APP)
    try:
        yield PlanningDatabase(database, engine)
    finally:
        engine.dispose()
