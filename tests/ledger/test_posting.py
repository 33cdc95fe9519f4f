"""Fills are posted to the ledger's tables, and a rebuild gives the same rows."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from strandline.ledger.account import Account
from strandline.ledger.posting import post_order, rebuild
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Database
from tests.store.rows import POSITION, T0, insert

VENUE = {"token_chain": "solana", "book_id": "onchain_crypto"}
ACCOUNT = Account(SOLANA_ONCHAIN, "a")
LEDGER = ("holdings", "dust", "cash", "trades")


class Orders:
    """Orders of one row, whose fills are posted as they are stored. Less than 0.5 cannot be sold."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.count = 0
        insert(connection, "instruments", **VENUE)
        insert(connection, "positions", **VENUE)
        insert(connection, "venue_accounts", **VENUE, address="a", margined=False)
        insert(connection, "cycles")

    def open(self, side: str) -> UUID:
        """Insert an order of a new intent, and return its id."""
        self.count += 1
        number = UUID(int=self.count)
        selling = {"decision": "demote", "exit_reason": "stop", "notional": None, "quantity": 1, "reduce_only": True}
        special: dict[str, Any] = selling if side == "sell" else {}
        insert(self.connection, "intents", intent_id=number, **special)
        insert(
            self.connection,
            "orders",
            **VENUE,
            address="a",
            order_id=number,
            intent_id=number,
            side=side,
            client_order_id=str(number),
            nonce=self.count,
            dust_below="0.5",
        )
        # Free the row's side, so that it can have another intent.
        self._update("UPDATE intents SET status = 'preparing' WHERE intent_id = :id", number)
        self._update("UPDATE intents SET status = 'ready' WHERE intent_id = :id", number)
        self._update("UPDATE intents SET status = 'failed' WHERE intent_id = :id", number)
        return number

    def fill(self, order_id: UUID, side: str, quantity: str, *, ends: bool = False) -> None:
        """Store and post a fill at 100; `ends` makes the order's status final before."""
        if ends:
            self._end(order_id)
        self.count += 1
        insert(
            self.connection,
            "fills",
            **VENUE,
            address="a",
            venue_fill_id=str(self.count),
            order_id=order_id,
            side=side,
            price=100,
            quantity=quantity,
            fee=0,
        )
        number = self.connection.scalar(text("SELECT max(booked_no) FROM fills"))
        post_order(self.connection, ACCOUNT, order_id, [int(number or 0)])

    def end(self, order_id: UUID) -> None:
        """Make the order's status final without another fill."""
        self._end(order_id)
        post_order(self.connection, ACCOUNT, order_id, [])

    def one(self, query: str) -> Any:
        """Read a single value."""
        return self.connection.scalar(text(query))

    def ledger(self) -> list[list[str]]:
        """Read all rows of the ledger's tables; numbers are without trailing zeros."""
        return [
            sorted(
                str(sorted((name, v.normalize() if isinstance(v, Decimal) else v) for name, v in row._asdict().items()))
                for row in self.connection.execute(text(f"SELECT * FROM {table}"))
            )
            for table in LEDGER
        ]

    def _end(self, order_id: UUID) -> None:
        self._update(f"UPDATE orders SET status = 'filled', resolved_at = '{T0}' WHERE order_id = :id", order_id)

    def _update(self, statement: str, number: UUID) -> None:
        self.connection.execute(text(statement), {"id": number})


@pytest.fixture
def orders(database: Database) -> Iterator[Orders]:
    """Orders in one transaction of the superuser."""
    with database.session() as connection:
        yield Orders(connection)


HELD = f"SELECT quantity FROM holdings WHERE position_id = '{POSITION}'"
DUST = "SELECT sum(quantity) FROM dust"


def test_a_rebuild_ends_the_orders_that_have_ended(orders: Orders) -> None:
    bought, sold = orders.open("buy"), orders.open("sell")
    orders.fill(bought, "buy", "1", ends=True)
    orders.fill(sold, "sell", "0.8", ends=True)
    assert (orders.one(HELD), orders.one(DUST)) == (0, Decimal("0.2"))
    before = orders.ledger()
    rebuild(orders.connection)
    assert orders.ledger() == before
    assert all(before)


def test_a_rebuild_leaves_the_remainder_of_an_order_that_may_still_fill(orders: Orders) -> None:
    bought, sold = orders.open("buy"), orders.open("sell")
    orders.fill(bought, "buy", "1", ends=True)
    orders.fill(sold, "sell", "0.8")
    before = orders.ledger()
    rebuild(orders.connection)
    assert orders.ledger() == before
    assert (orders.one(HELD), orders.one(DUST)) == (Decimal("0.2"), None)


def test_the_end_of_an_order_moves_what_its_fill_left(orders: Orders) -> None:
    bought, sold = orders.open("buy"), orders.open("sell")
    orders.fill(bought, "buy", "1", ends=True)
    orders.fill(sold, "sell", "0.8")
    orders.end(sold)
    assert (orders.one(HELD), orders.one(DUST)) == (0, Decimal("0.2"))


def test_a_fill_of_another_order_moves_what_the_fill_before_it_left(orders: Orders) -> None:
    bought, sold, again = orders.open("buy"), orders.open("sell"), orders.open("buy")
    orders.fill(bought, "buy", "1", ends=True)
    orders.fill(sold, "sell", "0.8")
    orders.fill(again, "buy", "3", ends=True)
    assert (orders.one(HELD), orders.one(DUST)) == (3, Decimal("0.2"))
    assert orders.one("SELECT count(*) FROM trades") == 1
    before = orders.ledger()
    rebuild(orders.connection)
    assert orders.ledger() == before


def test_the_end_of_an_order_whose_fill_was_not_the_last_changes_nothing(orders: Orders) -> None:
    bought, sold, again = orders.open("buy"), orders.open("sell"), orders.open("buy")
    orders.fill(bought, "buy", "1", ends=True)
    orders.fill(sold, "sell", "0.4")
    orders.fill(again, "buy", "0.1", ends=True)
    before = orders.ledger()
    orders.end(sold)
    assert orders.ledger() == before
