"""Which venues a cycle must execute: by the status of their intents and orders, and by what is held there."""

import pytest
from sqlalchemy import Connection, text

from strandline.execution import venues_with_work
from strandline.model.intent import IntentStatus
from strandline.model.result import OrderStatus
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.store.rows import T0, insert, insert_all


def with_intent(connection: Connection, status: IntentStatus) -> None:
    """One intent with this status."""
    insert_all(connection, "instruments", "positions", "cycles", "venue_accounts")
    insert(connection, "intents", status=status.value, status_reason="test")


@pytest.mark.parametrize("status", list(IntentStatus))
def test_a_venue_with_an_open_intent_has_work(database: Database, status: IntentStatus) -> None:
    with database.session() as connection:
        with_intent(connection, status)
        assert venues_with_work(connection) == ({HYPERLIQUID_PERPS} if status.open else set())


@pytest.mark.parametrize("status", list(OrderStatus))
def test_a_venue_with_an_unresolved_order_has_work(database: Database, status: OrderStatus) -> None:
    """Whatever the status of its intent is."""
    with database.session() as connection:
        with_intent(connection, IntentStatus.FAILED)
        insert(connection, "orders", status=status.value, resolved_at=T0 if status.resolved else None)
        assert venues_with_work(connection) == (set() if status.resolved else {HYPERLIQUID_PERPS})


@pytest.mark.parametrize(
    ("table", "quantity", "works"), [("holdings", "0.1", True), ("dust", 1, True), ("dust", 0, False)]
)
def test_a_venue_where_something_is_held_has_work(
    database: Database, table: str, quantity: object, works: bool
) -> None:
    with database.session() as connection:
        with_intent(connection, IntentStatus.DONE)
        insert(connection, table, quantity=quantity)
        assert bool(venues_with_work(connection)) == works
        if table == "holdings":
            connection.execute(text("UPDATE holdings SET quantity = 0, average_entry = NULL"))
            assert not venues_with_work(connection)
