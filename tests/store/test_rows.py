"""What is written to a table reads back as the same record, to the last digit."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import ValidationError
from msgspec.structs import replace
from sqlalchemy import Connection, text

from strandline.cycle.position_rows import PositionRow
from strandline.execution.intents import outbox_row, read
from strandline.execution.orders import unresolved, write_order
from strandline.ledger.account import Account
from strandline.ledger.books import Books, CashEntry, Trade
from strandline.ledger.equity import Equity, record
from strandline.ledger.tables import load_cash, load_dust, load_holding, save
from strandline.model.breaker import Breaker
from strandline.model.evidence import Evidence
from strandline.model.exact import Amount, Money, Quantity
from strandline.model.fill import CashEvent, Fill
from strandline.model.instrument import Instrument
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.order import SignedOrder
from strandline.model.position import Holding, Position, PositionKey
from strandline.model.record import Record
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row, to_row, updates, values
from tests.conftest import Database, Server
from tests.model import generated

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
EXAMPLES = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def tables(server: Server, template: str) -> Iterator[Database]:
    """One database for all examples: each of them is rolled back."""
    database = server.create(template)
    yield database
    server.drop(database)


@pytest.fixture
def connection(tables: Database) -> Iterator[Connection]:
    """A superuser's, who may insert rows without those that they refer to."""
    with tables.admin.connect() as opened:
        opened.execute(text("SET session_replication_role = replica"))
        opened.commit()
        yield opened
        opened.rollback()


class Paid(Record, frozen=True):
    """Money alone."""

    usd: Money


def write(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """Insert the row in a new transaction, after undoing the one before."""
    connection.rollback()
    connection.execute(text(f"INSERT INTO {table} {values(row)}"), row)


def insert_instrument(connection: Connection, instrument: Instrument) -> None:
    """Insert the instrument with its own id, which the table would choose otherwise."""
    row = to_row(instrument)
    with_id = values(row).replace(") VALUES", ") OVERRIDING SYSTEM VALUE VALUES")
    connection.execute(text(f"INSERT INTO instruments {with_id}"), row)


def read_back(connection: Connection, table: str, kind: type[Record]) -> Record:
    """Read the table's only row."""
    return from_row(kind, connection.execute(text(f"SELECT * FROM {table}")).one())


def stored(holding: Holding) -> Holding:
    """Change the holding to what the table allows: neither invested nor extracted is negative."""
    return replace(holding, invested=Money(abs(holding.invested.decimal)), extracted=Money(1))


@given(instrument=generated.instruments)
@EXAMPLES
def test_an_instrument(connection: Connection, instrument: Instrument) -> None:
    connection.rollback()
    insert_instrument(connection, instrument)
    assert read_back(connection, "instruments", Instrument) == instrument


@given(key=generated.keys, account=st.builds(Account, venue=generated.venues, address=generated.names))
@EXAMPLES
def test_keys(connection: Connection, key: PositionKey, account: Account) -> None:
    write(connection, "positions", to_row(key) | {"position_id": key.position_id, "weight": 1})
    assert read_back(connection, "positions", PositionKey) == key
    assert read_back(connection, "positions", VenueKey) == key.venue
    write(connection, "venue_accounts", to_row(account) | {"margined": True})
    assert read_back(connection, "venue_accounts", Account) == account


@given(position=generated.positions, instrument=generated.instruments, flat=st.booleans())
@EXAMPLES
def test_a_position_and_its_instrument(
    connection: Connection, position: Position, instrument: Instrument, flat: bool
) -> None:
    """Without a row in `holdings`, what an outer join gives is a holding of nothing."""
    holding = Holding() if flat else stored(position.holding)
    position = replace(position, holding=holding, instrument_id=instrument.instrument_id)
    instrument = replace(instrument, venue=position.key.venue, token_contract=position.key.token_contract)
    written = PositionRow(position=position, instrument=instrument)
    write(
        connection,
        "positions",
        to_row(position.key)
        | {
            "position_id": position.position_id,
            "weight": position.weight.decimal,
            "desired_status": position.desired_status.value,
        },
    )
    insert_instrument(connection, instrument)
    if not flat:
        row = to_row(holding) | {"position_id": position.position_id}
        connection.execute(text(f"INSERT INTO holdings {values(row)}"), row)
    found = connection.execute(
        text("""
        SELECT *, CAST(:ready AS boolean) AS ready FROM positions
        JOIN instruments USING (token_chain, book_id, token_contract) LEFT JOIN holdings USING (position_id)
        """),
        {"ready": position.ready},
    ).one()
    assert from_row(PositionRow, found) == written


@given(intent=generated.intents(), evidence=generated.evidence)
@EXAMPLES
def test_an_intent_of_the_outbox(connection: Connection, intent: ExecutionIntent, evidence: Evidence) -> None:
    assume(intent.quantity is None or intent.quantity)
    assume(intent.notional is None or intent.notional > Money(0))
    key = PositionKey(venue=intent.venue, token_contract=intent.token_contract, timeframe=intent.timeframe)
    write(connection, "positions", to_row(key) | {"position_id": intent.position_id, "weight": 1})
    row = outbox_row(intent, evidence, NOW)
    connection.execute(text(f"INSERT INTO intents {values(row)}"), row)
    (found,) = read(connection, [intent.intent_id])
    assert (found.intent, found.evidence, found.status, found.epoch) == (intent, evidence, IntentStatus.PLANNED, 0)


@given(order=generated.orders, dust_below=generated.quantities)
@EXAMPLES
def test_an_order(connection: Connection, order: SignedOrder, dust_below: Quantity) -> None:
    order = replace(order, nonce=order.nonce or None, last_valid_height=order.last_valid_height or None)
    account = Account(order.plan.venue, order.address)
    connection.rollback()
    write_order(connection, account, order, dust_below, NOW)
    assert unresolved(connection, account) == (order,)
    assert connection.execute(text("SELECT dust_below FROM orders")).scalar_one() == dust_below.decimal


@given(fill=generated.fills(), event=generated.cash_events, address=generated.names)
@EXAMPLES
def test_fills_and_cash_events(connection: Connection, fill: Fill, event: CashEvent, address: str) -> None:
    write(connection, "fills", to_row(Account(fill.venue, address)) | to_row(fill))
    assert read_back(connection, "fills", Fill) == fill
    write(connection, "cash_events", to_row(Account(event.venue, address)) | to_row(event))
    assert read_back(connection, "cash_events", CashEvent) == event
    entry = CashEntry(account=Account(event.venue, address), asset=event.asset, amount=event.amount)
    assert read_back(connection, "cash_events", CashEntry) == entry


@given(
    holding=generated.holdings(),
    dust=generated.quantities,
    cash=generated.amounts,
    account=st.builds(Account, generated.venues, generated.names),
    trade=st.builds(
        Trade,
        position_id=generated.uuids,
        trade_no=st.integers(1, 9),
        opened_at=st.just(NOW),
        closed_at=st.just(NOW),
        invested=st.just(Money("0.000001")),
        extracted=st.just(Money(2)),
        fees=generated.moneys,
        net_pnl=generated.moneys,
        close_reason=generated.names,
    ),
)
@EXAMPLES
def test_the_books(
    connection: Connection, holding: Holding, dust: Quantity, cash: Amount, account: Account, trade: Trade
) -> None:
    """What is saved is loaded, and saving again replaces it."""
    connection.rollback()
    row = trade.position_id
    before = Books({row: Holding()}, {(account, "BTC"): Quantity(7)}, {(account, "SOL"): Amount(7)})
    books = Books(
        {row: stored(holding)}, {(account, "BTC"): dust}, {(account, "SOL"): cash}, {(row, trade.trade_no): trade}
    )
    for written in (before, books):
        save(connection, written)
        again = Books()
        load_holding(connection, again, row)
        load_dust(connection, again, account, "BTC")
        load_cash(connection, again, account)
        assert (again.holdings, again.dust, again.cash) == (written.holdings, written.dust, written.cash)
        cost = connection.execute(text("SELECT cost FROM holdings")).scalar_one()
        assert Money(cost) == written.holdings[row].cost
    assert read_back(connection, "trades", Trade) == trade


@given(
    recorded=st.builds(
        Equity,
        cycle=generated.instants,
        equity=generated.moneys,
        cash=generated.moneys,
        day_start=generated.moneys | st.none(),
        peak=generated.moneys | st.none(),
        losing_streak=st.integers(0, 99),
        oldest_mark_at=generated.instants | st.none(),
        deposits=generated.moneys,
        known=st.booleans(),
        breakers=st.lists(st.sampled_from(Breaker), unique=True).map(tuple),
        reset_no=st.integers(0, 2**40),
    )
)
@EXAMPLES
def test_the_equity_of_a_cycle(connection: Connection, recorded: Equity) -> None:
    connection.rollback()
    recorded = replace(recorded, peak=recorded.peak and max(recorded.peak, recorded.equity))
    record(connection, replace(recorded, equity=Money(1), peak=Money(7), deposits=Money(7), oldest_mark_at=None))
    record(connection, recorded)
    assert read_back(connection, "equity", Equity) == recorded


def test_a_missing_column_is_an_error(connection: Connection) -> None:
    row = connection.execute(text("SELECT 'hyperliquid' AS token_chain")).one()
    with pytest.raises(KeyError, match="book_id"):
        from_row(VenueKey, row)


def test_a_value_of_another_type_is_an_error(connection: Connection) -> None:
    row = connection.execute(text("SELECT 0.5::double precision AS usd")).one()
    with pytest.raises(ValidationError, match=r"Money.*0\.5.*usd"):
        from_row(Paid, row)


def test_an_upsert_replaces_everything_but_the_key() -> None:
    assert updates(["a", "b", "c"], key=["b"]) == "a = EXCLUDED.a, c = EXCLUDED.c"
