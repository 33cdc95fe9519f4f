"""A database with rows to trade, a scripted venue, a clock that is moved by hand, and the checks that always hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, text

from strandline.execution import VenueRun, execute_venue, sync_account
from strandline.ledger.posting import rebuild
from strandline.ledger.settlement import DOLLARS
from strandline.model.canonical import from_json
from strandline.model.ids import derived_id
from strandline.model.position import PositionKey
from strandline.model.strand import GENESIS, Strand, StrandKind
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.roles import Role
from tests.conftest import Database
from tests.execution.scripted_venue import ADDRESS, LOT, MINIMUM, ScriptedExecutor, ScriptedVenue
from tests.store.rows import insert

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CODE = "0.1.0+test"
LEDGER = ("holdings", "dust", "cash", "trades")
ALL = (*LEDGER, "intents", "orders", "fills", "cash_events", "strands", "venue_accounts")


class Killed(BaseException):
    """Raised where a test kills the process: no code catches it."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move the clock, as `timedelta` counts."""
        self.now += timedelta(**by)


class ExecutionBench:
    """Two rows of one token and one of another, at one venue."""

    def __init__(self, database: Database, venue: VenueKey, *, margined: bool) -> None:
        self.clock = Clock()
        self.venue = ScriptedVenue(venue, margined, self.clock)
        self.engine: Engine = database.engine(Role.APP)
        self.admin = create_engine(database.url)
        self._reads = self.admin.execution_options(isolation_level="AUTOCOMMIT")
        self.rows = [
            PositionKey(venue=venue, token_contract=token, timeframe=timeframe)
            for token, timeframe in (("BTC", Timeframe.H1), ("BTC", Timeframe.H4), ("ETH", Timeframe.H1))
        ]
        with self.admin.begin() as connection:
            for token in ("BTC", "ETH"):
                insert(
                    connection,
                    "instruments",
                    token_chain=venue.token_chain,
                    book_id=venue.book_id,
                    token_contract=token,
                    symbol=f"{token}-USD",
                    lot=LOT.decimal,
                    min_notional=MINIMUM.decimal,
                )
            for row in self.rows:
                insert(connection, "positions", **_columns(row))
        sync_account(self.engine, self.venue, venue, ADDRESS, margined=margined)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.admin.dispose()

    def plan(self, row: int, **special: Any) -> UUID | None:
        """Insert a new intent, by default an entry; None if the row has an open one on that side."""
        position_id = self.rows[row].position_id
        cycle = self.clock()
        rule = special.get("rule", "first_buy")
        intent_id = derived_id("test intent", row, rule, cycle.isoformat(), str(special.get("decision", "add")))
        selling = special.get("decision", "add") in ("trim", "trail", "demote")
        with self.admin.begin() as connection:
            if self._busy(connection, position_id, "sell" if selling else "buy", intent_id):
                return None
            if not connection.scalar(text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :t)"), {"t": cycle}):
                insert(connection, "cycles", cycle_t=cycle)
            values: dict[str, Any] = {
                "intent_id": intent_id,
                "cycle_t": cycle,
                "position_id": position_id,
                "decision_price": self.venue.price,
                "source_bar": cycle - timedelta(hours=1),
                "expires_at": cycle + timedelta(seconds=600 if selling else 300),
            }
            if selling:
                values |= {"notional": None, "reduce_only": True, "quantity": self.held(row)}
            insert(connection, "intents", **values | special)
        return intent_id

    def plan_exit(self, row: int, decision: str = "demote", **special: Any) -> UUID | None:
        """Insert an exit of what the row holds; None if it holds nothing, or has an open exit."""
        if not self.held(row):
            return None
        reason = {"exit_reason": "stop"} if decision == "demote" else {"bar_count": 1000, "level_id": self.clock()}
        rule = "stop" if decision == "demote" else "trim"
        return self.plan(row, decision=decision, rule=rule, **reason | special)

    def run(
        self,
        executor: ScriptedExecutor | None = None,
        checkpoint: Callable[[str], None] = lambda _: None,
        seconds: int = 100,
    ) -> VenueRun:
        """Execute the venue, as its task does."""
        return execute_venue(
            self.engine,
            executor or ScriptedExecutor(self.venue),
            clock=self.clock,
            deadline=self.clock() + timedelta(seconds=seconds),
            code_version=CODE,
            checkpoint=checkpoint,
        )

    def held(self, row: int) -> Decimal:
        """Read what the row holds."""
        held = "SELECT COALESCE(sum(quantity), 0) FROM holdings WHERE position_id = :id"
        return Decimal(self.query(held, id=self.rows[row].position_id)[0][0])

    def query(self, statement: str, **values: object) -> Sequence[Any]:
        """Read rows, as the superuser."""
        with self._reads.connect() as connection:
            return connection.execute(text(statement), values).all()

    def status(self, intent_id: UUID | None) -> tuple[str, str | None]:
        """Read the status of an intent, and its reason."""
        row = self.query("SELECT status, status_reason FROM intents WHERE intent_id = :id", id=intent_id)[0]
        return row.status, row.status_reason

    def snapshot(self, tables: Sequence[str]) -> Mapping[str, list[str]]:
        """Read all rows of each table, as sorted text; numbers are without trailing zeros."""
        with self._reads.connect() as connection:
            return {table: sorted(map(str, connection.scalars(text(_rows_of(table))))) for table in tables}

    def strands(self) -> list[Strand]:
        """Read all strands in the order of the chain."""
        return [from_json(row.body, Strand) for row in self.query("SELECT body FROM strands ORDER BY seq")]

    def check_always(self) -> None:
        """Check what holds at any instant, whatever was killed."""
        assert all(len(orders) == 1 for orders in self.venue.accepted.values()), "an intent was traded twice"
        strands = self.strands()
        decided = _decided(strands)
        assert len(decided) == len(set(decided)), "a decision has two strands"
        _check_chain(strands)
        if not self.query("SELECT FROM unresolved_orders"):
            self.check_ledger_is_venue()

    def check_ledger_is_venue(self) -> None:
        """Check that the ledger and the venue have the same balances, to the last digit."""
        ours = dict(
            self.query("""
            SELECT token_contract, sum(quantity) FROM (
              SELECT token_contract, quantity FROM holdings JOIN positions USING (position_id)
              UNION ALL SELECT token_contract, quantity FROM dust) AS t GROUP BY 1
            """)
        )
        theirs = self.venue.quantity
        assert {t: q for t, q in ours.items() if q} == {t: q for t, q in theirs.items() if q}
        cash = dict(self.query("SELECT asset, amount FROM cash"))
        cost = self.query("SELECT COALESCE(sum(cost), 0) AS cost FROM holdings")[0].cost
        assert cash[DOLLARS] - (cost if self.venue.margined else 0) == self.venue.dollars
        if not self.venue.margined:
            assert cash["SOL"] == self.venue.gas

    def check_settled(self) -> None:
        """Check what holds once nothing is in doubt any more."""
        self.check_always()
        before = self.snapshot(ALL)
        assert self.run() == VenueRun()
        assert self.snapshot(ALL) == before, "running again changed something"
        with self.engine.begin() as connection:
            rebuild(connection)
        after = self.snapshot(LEDGER)
        assert after == {table: before[table] for table in LEDGER}, "a rebuilt ledger differs"
        ended = {row[0] for row in self.query("SELECT intent_id FROM intents WHERE NOT is_open(status)")}
        assert set(_decided(self.strands())) == ended == {row[0] for row in self.query("SELECT intent_id FROM intents")}
        sums = self.query("SELECT sum(net_pnl) AS net, sum(extracted - invested - fees) AS parts FROM trades")[0]
        assert sums.net == sums.parts

    def _busy(self, connection: Connection, position_id: UUID, side: str, intent_id: UUID) -> bool:
        return bool(
            connection.scalar(
                text("""
                SELECT EXISTS (SELECT FROM intents WHERE intent_id = :intent_id
                               OR (position_id = :id AND side = :side AND is_open(status)))
                """),
                {"id": position_id, "side": side, "intent_id": intent_id},
            )
        )


def _decided(strands: Iterable[Strand]) -> list[UUID]:
    """The intents of which there is a decision."""
    return [strand.intent.intent_id for strand in strands if strand.kind is StrandKind.DECISION and strand.intent]


def _check_chain(strands: Iterable[Strand]) -> None:
    """Check that the chain has no holes, and that each strand names the hash of the one before it."""
    previous = GENESIS
    for seq, strand in enumerate(strands, start=1):
        assert (strand.seq, strand.previous) == (seq, previous)
        previous = strand.hash


def _columns(row: PositionKey) -> dict[str, object]:
    return {
        "position_id": row.position_id,
        "token_chain": row.venue.token_chain,
        "book_id": row.venue.book_id,
        "token_contract": row.token_contract,
        "timeframe": row.timeframe,
    }


def _rows_of(table: str) -> str:
    """Select all rows as text that is the same for 1.0 and 1.00."""
    return f"""
    SELECT (SELECT string_agg(key || '=' || CASE WHEN value ~ '^-?[0-9]+\\.[0-9]+$'
              THEN trim_scale(value::numeric)::text ELSE COALESCE(value, 'null') END, ' ' ORDER BY key)
            FROM jsonb_each_text(to_jsonb(t)))
    FROM {table} t
    """
