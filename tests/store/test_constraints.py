"""The database enforces every invariant that it can."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from strandline.model.bar import GapType
from strandline.model.fill import CashCause, FillCause
from strandline.model.intent import Decision, ExitReason, IntentStatus, Urgency
from strandline.model.plan import OrderKind
from strandline.model.position import DesiredStatus, PositionStatus
from strandline.model.result import OrderStatus
from strandline.model.side import Side
from strandline.model.signal import EngineState
from strandline.model.source import HistorySource
from strandline.model.strand import StrandKind
from strandline.model.timeframe import Timeframe
from strandline.quality.severity import Severity
from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.rows import INTENT, ORDER, OTHER_POSITION, POSITION, T0, insert, insert_all

SELL = {
    "intent_id": "55555555-5555-5555-8555-555555555555",
    "decision": "demote",
    "exit_reason": "stop",
    "notional": None,
    "quantity": "0.001",
    "reduce_only": True,
}
BUY_AGAIN = {"intent_id": "66666666-6666-5666-8666-666666666666"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("timeframe", Timeframe),
        ("side", Side),
        ("gap_type", GapType),
        ("engine_state", EngineState),
        ("severity", Severity),
        ("desired_status", DesiredStatus),
        ("position_status", PositionStatus),
        ("decision", Decision),
        ("exit_reason", ExitReason),
        ("urgency", Urgency),
        ("intent_status", IntentStatus),
        ("order_kind", OrderKind),
        ("order_status", OrderStatus),
        ("fill_cause", FillCause),
        ("cash_cause", CashCause),
        ("strand_kind", StrandKind),
        ("history_source", HistorySource),
    ],
)
def test_enums_of_the_database_and_the_types_are_equal(database: Database, name: str, kind: type[StrEnum]) -> None:
    with database.session() as connection:
        labels = connection.scalars(text(f"SELECT unnest(enum_range(NULL::{name}))::text")).all()
    assert labels == [member.value for member in kind]


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        ("is_open", IntentStatus, lambda status: status.open),
        ("is_unsent", IntentStatus, lambda status: status.unsent),
        ("is_resolved", OrderStatus, lambda status: status.resolved),
    ],
)
def test_the_database_and_the_types_agree_on_what_a_status_means(
    database: Database, function: str, kind: type[StrEnum], expected: Callable[[Any], bool]
) -> None:
    label = {IntentStatus: "intent_status", OrderStatus: "order_status"}[kind]
    with database.session(Role.UI) as connection:
        for status in kind:
            answer = connection.scalar(text(f"SELECT {function}(CAST(:status AS {label}))"), {"status": status})
            assert answer is expected(status), status


def refused(database: Database, table: str, match: str, **special: Any) -> None:
    """A row like the good one, but with these values, is refused."""
    with database.session() as connection:
        insert_all(connection)
    with pytest.raises(DBAPIError, match=match), database.session() as connection:
        insert(connection, table, **special)


@pytest.mark.parametrize(
    ("table", "special"),
    [
        ("instruments", {"token_chain": "Hyperliquid", "token_contract": "ETH"}),
        ("instruments", {"token_contract": " "}),
        ("instruments", {"token_contract": "ETH", "lot": 0}),
        ("instruments", {"token_contract": "ETH", "lot": "NaN"}),
        ("instruments", {"token_contract": "ETH", "min_notional": -1}),
        ("ticks", {"trade_id": 8, "size": -1.0}),
        ("ticks", {"trade_id": 8, "kind": "x"}),
        ("ticks", {"trade_id": 8, "side": "x"}),
        ("ticks", {"trade_id": 8, "source": "x"}),
        ("ticks", {"trade_id": 8, "kind": "p"}),
        ("ticks", {"trade_id": 8, "kind": "p", "side": None}),
        ("ticks", {"trade_id": 8, "kind": "p", "size": None}),
        ("asset_contexts", {"open_interest": -1}),
        ("asset_contexts", {"mark_price": 0}),
        ("asset_contexts", {"oracle_price": 0}),
        ("asset_contexts", {"mid_price": 0}),
        ("venue_candles", {"ts": "2026-01-01 00:01:00+00", "volume": -1}),
        ("history_loads", {"unit": "x", "ends_at": "2026-01-01 00:00:00+00"}),
        ("history_loads", {"unit": "x", "stored": 4}),
        ("history_loads", {"unit": "x", "changed": 2}),
        ("history_loads", {"unit": "x", "content_hash": "abc"}),
        ("bars", {"ts": "2026-01-01 00:01:00+00", "revision": -1}),
        ("bars", {"ts": "2026-01-01 00:01:00+00", "dropped": -1}),
        ("bars", {"ts": "2026-01-01 00:01:00+00", "gap_detected": True}),
        ("gaps", {"starts_at": "2026-01-01 00:05:00+00"}),
        ("quality_runs", {"succeeded": False}),
        ("engine_states", {"generation": 0}),
        ("engine_checkpoints", {"bar_ts": "2026-01-01 00:01:00+00", "bar_count": 0}),
        ("resteps", {"restep": 0}),
        ("resteps", {"restep": 2, "until": "2025-01-01 00:00:00+00"}),
        ("features", {"generation": 2, "input_hash": "abc"}),
        ("features", {"generation": 2, "restep": -1}),
        ("regime_states", {"timeframe": "1d", "made_with": "abc"}),
        ("regime_bars", {"revision": 1, "input_hash": "abc"}),
        ("regime_bars", {"revision": 1, "shown_bars": 0}),
        ("positions", {"position_id": OTHER_POSITION, "timeframe": "5m", "weight": -1}),
        ("positions", {"position_id": OTHER_POSITION, "timeframe": "5m", "token_chain": "SOLANA"}),
        ("cycles", {"cycle_t": "2026-01-01 00:10:00+00", "decision_digest": None}),
        ("cycles", {"cycle_t": "2026-01-01 00:10:00+00", "outcome": "backfill"}),
        ("planner_state", {"position_id": OTHER_POSITION, "highest": 0}),
        ("planner_state", {"position_id": OTHER_POSITION, "exit_due": "stop"}),
        ("marks", {"cycle_t": "2026-01-01 00:10:00+00", "price": 0}),
        ("marks", {"cycle_t": "2026-01-01 00:10:00+00", "price": "NaN"}),
        ("intents", SELL | {"quantity": "-0.001"}),
        ("intents", SELL | {"quantity": None}),
        ("intents", SELL | {"quantity": "NaN"}),
        ("intents", SELL | {"reduce_only": False}),
        ("intents", SELL | {"exit_reason": None}),
        ("intents", SELL | {"notional": 5}),
        ("intents", SELL | {"size_frac": "1.1"}),
        ("intents", SELL | {"appetite": 1.1}),
        ("intents", SELL | {"appetite": "NaN"}),
        ("intents", SELL | {"expires_at": "2026-01-01 00:05:00+00"}),
        ("intents", SELL | {"status": "skipped"}),
        ("runs", {"ended_at": "2026-01-01 00:00:00+00", "succeeded": True}),
        ("orders", {"order_id": POSITION, "attempt": 0, "client_order_id": "0x02", "nonce": 2}),
        ("fills", {"venue_fill_id": "f2", "quantity": 0}),
        ("fills", {"venue_fill_id": "f2", "price": "Infinity"}),
        ("fills", {"venue_fill_id": "f2", "fee": "NaN"}),
        ("fills", {"venue_fill_id": "f2", "order_id": None}),
        ("fills", {"venue_fill_id": "f2", "cause": "manual"}),
        ("cash_events", {"venue_event_id": "d2", "usd": "NaN"}),
        ("holdings", {"position_id": OTHER_POSITION, "quantity": -1}),
        ("holdings", {"position_id": OTHER_POSITION, "quantity": 0}),
        ("holdings", {"position_id": OTHER_POSITION, "first_fill_at": None}),
        ("dust", {"token_contract": "ETH", "quantity": -1}),
        ("trades", {"trade_no": 2, "closed_at": "2025-12-31 00:00:00+00"}),
        ("equity", {"cycle_t": "2026-01-01 00:10:00+00", "peak": 9999}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_an_impossible_value_is_refused(database: Database, table: str, special: dict[str, Any]) -> None:
    refused(database, table, "violates check constraint", **special)


@pytest.mark.parametrize(
    ("table", "special"),
    [
        ("ticks", {}),
        ("bars", {"revision": 1}),
        ("positions", {"position_id": OTHER_POSITION}),
        ("cycles", {}),
        ("intents", {}),
        ("fills", {}),
        ("cash_events", {}),
        ("equity", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) or "same",
)
def test_unique_rows_are_unique(database: Database, table: str, special: dict[str, Any]) -> None:
    refused(database, table, "duplicate key value violates unique constraint", **special)


def test_two_open_entries_for_one_row_and_side_are_refused(database: Database) -> None:
    refused(database, "intents", "one_open_intent_per_row_and_side", **BUY_AGAIN)
    with database.session() as connection:
        insert(connection, "intents", **SELL)
        connection.execute(text("UPDATE intents SET status = 'skipped', status_reason = 'x' WHERE decision = 'add'"))
        insert(connection, "intents", **BUY_AGAIN)


def test_one_unresolved_order_per_intent(database: Database) -> None:
    second = {"order_id": POSITION, "attempt": 2, "client_order_id": "0x02", "nonce": 2}
    refused(database, "orders", "one_unresolved_order_per_intent", **second)
    with database.session() as connection:
        connection.execute(text("UPDATE orders SET status = 'dead', resolved_at = now()"))
        insert(connection, "orders", **second)


def test_an_attempt_has_one_order(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        connection.execute(text("UPDATE orders SET status = 'dead', resolved_at = now()"))
    same_attempt = {"order_id": POSITION, "client_order_id": "0x02", "nonce": 2}
    with pytest.raises(IntegrityError, match="orders_intent_id_attempt_key"), database.session() as connection:
        insert(connection, "orders", **same_attempt)


@pytest.mark.parametrize("column", ["client_order_id", "nonce"])
def test_a_nonce_and_a_client_order_id_are_given_out_once(database: Database, column: str) -> None:
    with database.session() as connection:
        insert_all(connection)
        connection.execute(text("UPDATE orders SET status = 'dead', resolved_at = now()"))
    other = {"order_id": POSITION, "attempt": 2, "client_order_id": "0x02", "nonce": 2}
    same = {"client_order_id": "0x01", "nonce": 1}[column]
    with pytest.raises(IntegrityError, match=column), database.session() as connection:
        insert(connection, "orders", **other | {column: same})


FOLLOWS = {
    "planned": {"preparing", "skipped"},
    "preparing": {"skipped", "ready"},
    "ready": {"sent", "unknown", "done", "failed"},
    "sent": {"unknown", "done", "failed"},
    "unknown": {"done", "failed"},
    "skipped": set(),
    "done": set(),
    "failed": set(),
}


def test_only_valid_transitions_of_an_intent_are_possible(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
    for before in IntentStatus:
        for after in IntentStatus:
            moved = True
            try:
                with database.session() as connection:
                    connection.execute(text("ALTER TABLE intents DISABLE TRIGGER follow_states"))
                    connection.execute(
                        text("UPDATE intents SET status = :before, status_reason = 'x'"), {"before": before}
                    )
                    connection.execute(text("ALTER TABLE intents ENABLE ALWAYS TRIGGER follow_states"))
                    connection.execute(text("UPDATE intents SET status = :after"), {"after": after})
            except IntegrityError as error:
                assert "cannot go from" in str(error)
                moved = False
            assert moved == (after in FOLLOWS[before] | {before.value}), f"{before} to {after}"


@pytest.mark.parametrize("status", IntentStatus)
def test_an_open_intent_is_listed_keeps_its_side_taken_and_its_row_from_the_archive(
    database: Database, status: IntentStatus
) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles")
        insert(connection, "intents", status=status, status_reason="x")
        listed = connection.execute(text("SELECT intent_id::text, token_contract FROM open_intents")).all()
    assert listed == ([(INTENT, "BTC")] if status.open else [])
    for attempt in (
        lambda connection: insert(connection, "intents", **BUY_AGAIN),
        lambda connection: connection.execute(text("UPDATE positions SET desired_status = 'archived'")),
    ):
        allowed = True
        try:
            with database.session() as connection:
                attempt(connection)
                connection.rollback()
        except IntegrityError as error:
            assert "one_open_intent" in str(error) or "only a flat row can be archived" in str(error)
            allowed = False
        assert allowed is not status.open


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_resolved_at_a_time_and_until_then_the_only_one_of_its_intent(
    database: Database, status: OrderStatus
) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles", "intents", "venue_accounts")
    with pytest.raises(IntegrityError, match="violates check constraint"), database.session() as connection:
        insert(connection, "orders", status=status, resolved_at=None if status.resolved else T0)
    with database.session() as connection:
        insert(connection, "orders", status=status, resolved_at=T0 if status.resolved else None)
        unresolved = connection.scalars(text("SELECT order_id::text FROM unresolved_orders")).all()
        assert unresolved == ([] if status.resolved else [ORDER])
    second = {"order_id": POSITION, "attempt": 2, "client_order_id": "0x02", "nonce": 2}
    if status.resolved:
        with database.session() as connection:
            insert(connection, "orders", **second)
    else:
        with pytest.raises(IntegrityError, match="one_unresolved_order"), database.session() as connection:
            insert(connection, "orders", **second)


def test_two_venues_may_use_the_same_ids(database: Database) -> None:
    other = {"token_chain": "solana", "book_id": "onchain_crypto"}
    with database.session() as connection:
        insert_all(connection)
        insert(connection, "venue_accounts", **other)
        insert(connection, "fills", **other)
        insert(connection, "cash_events", **other)


def test_a_series_has_one_adopted_generation(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments")
        insert(connection, "engine_states", adopted=True)
        insert(connection, "engine_states", generation=2)
    with pytest.raises(IntegrityError, match="one_adopted_generation"), database.session() as connection:
        insert(connection, "engine_states", generation=3, adopted=True)
    with database.session() as connection:
        insert(connection, "engine_states", timeframe="5m", adopted=True)


def test_the_cost_of_a_holding_follows_from_its_fills(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        connection.execute(text("UPDATE holdings SET invested = 100, extracted = 70, realised_pnl = 12.5"))
        assert connection.scalar(text("SELECT cost FROM holdings")) == Decimal("42.5")


def test_an_older_claim_cannot_take_an_intent_back(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        connection.execute(text("UPDATE intents SET epoch = 2"))
    with pytest.raises(IntegrityError, match="epoch never falls"), database.session() as connection:
        connection.execute(text("UPDATE intents SET epoch = 1"))


def test_a_resolved_order_keeps_its_status(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        connection.execute(text("UPDATE orders SET status = 'unknown'"))
        connection.execute(text("UPDATE orders SET status = 'dead', resolved_at = now()"))
    with pytest.raises(IntegrityError, match="resolved as dead for good"), database.session() as connection:
        connection.execute(text("UPDATE orders SET status = 'sent', resolved_at = NULL"))


def test_a_final_bar_changes_only_by_a_new_revision_and_the_old_one_is_kept(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
    for change in (
        "close = 3",
        "close = 3, revision = 2, known_seq = 2",
        "close = 3, revision = 1",
        "revision = 1, ts = now()",
    ):
        with pytest.raises(IntegrityError, match="is final"), database.session() as connection:
            connection.execute(text(f"UPDATE bars SET {change}"))
    with database.session(Role.APP) as connection:
        seq = connection.scalar(text("SELECT next_known_seq()"))
        assert seq == 1
        again = connection.scalar(text("SELECT next_known_seq()"))
        connection.execute(text("UPDATE bars SET close = 1.5, revision = 1, known_seq = :seq"), {"seq": again})
    with database.session() as connection:
        history = connection.execute(text("SELECT revision, known_seq, close FROM bar_history ORDER BY 1")).all()
    assert [tuple(row) for row in history] == [(0, 1, 2.0), (1, 2, 1.5)]


def test_a_row_that_holds_something_cannot_be_archived(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
    archive = text("UPDATE positions SET desired_status = 'archived'")
    with pytest.raises(IntegrityError, match="only a flat row can be archived"), database.session() as connection:
        connection.execute(archive)
    with database.session() as connection:
        connection.execute(text("UPDATE holdings SET quantity = 0, average_entry = NULL"))
    with pytest.raises(IntegrityError, match="only a flat row can be archived"), database.session() as connection:
        connection.execute(archive)
    with database.session() as connection:
        connection.execute(text("UPDATE intents SET status = 'skipped', status_reason = 'expired'"))
        connection.execute(archive)


def test_the_status_of_a_row_follows_from_its_fields(database: Database) -> None:
    def status() -> str:
        with database.session(Role.UI) as connection:
            return str(connection.scalar(text("SELECT status FROM position_rows")))

    with database.session() as connection:
        insert_all(connection, "instruments", "positions")
    assert status() == "dormant"
    with database.session() as connection:
        insert(connection, "engine_states", timeframe="1h", adopted=True, ready=True)
    assert status() == "watchlist"
    with database.session() as connection:
        insert(connection, "holdings")
    assert status() == "active"
    with database.session() as connection:
        connection.execute(text("UPDATE positions SET desired_status = 'paused'"))
    assert status() == "paused"


def test_a_change_of_rows_is_announced_to_the_sidecar(database: Database) -> None:
    with database.admin.connect() as listener:
        listener.execute(text("LISTEN strandline_positions"))
        listener.commit()
        with database.session() as connection:
            insert(connection, "positions")
        listener.execute(text("SELECT 1"))
        driver: Any = listener.connection.driver_connection
        driver.poll()
        assert [note.channel for note in driver.notifies] == ["strandline_positions"]


def test_the_watch_sets_show_their_symbols(database: Database) -> None:
    with database.session() as connection:
        for number, token in enumerate(["BTC", "kPEPE", "ETH"], start=1):
            insert(connection, "instruments", token_contract=token)
            insert(connection, "ticks", instrument_id=number)
            insert(connection, "bars", instrument_id=number)
        insert(connection, "positions", token_contract="kPEPE")
        insert(connection, "positions", token_contract="ETH", position_id=OTHER_POSITION, desired_status="archived")
    with database.session(Role.UI) as connection:
        for majors, trading in (
            ("majors_trades_ticks", "hyperliquid_trades_ticks"),
            ("majors_price_data_ohlc", "hyperliquid_price_data_ohlc"),
        ):
            assert connection.scalars(text(f"SELECT token FROM {majors} ORDER BY 1")).all() == ["BTC", "ETH"]
            assert connection.scalars(text(f"SELECT token FROM {trading}")).all() == ["kPEPE"]


def test_ids_of_the_good_rows_are_those_of_the_model(database: Database) -> None:
    with database.session() as connection:
        insert_all(connection)
        assert (
            connection.scalar(text("SELECT intent_id::text FROM orders WHERE order_id = :id"), {"id": ORDER}) == INTENT
        )
