"""Marks as the planner reads them."""

from datetime import UTC, datetime
from typing import Any

from strandline.cycle.marks import read_marks
from strandline.model.exact import Price
from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.rows import insert

T = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_an_asset_is_worth_what_a_venue_pays_for_it_in_cash(database: Database) -> None:
    """A perpetual of the same name has another price; which book is margined is in `venue_accounts` alone."""
    with database.session() as connection:
        insert(connection, "cycles", cycle_t=T)
        for number, (book, margined, price) in enumerate([("perps", False, 150), ("futures", True, 151)], start=1):
            venue: dict[str, Any] = {"token_chain": "exchange", "book_id": book}
            insert(connection, "instruments", **venue, token_contract="SOL", symbol="SOL")
            insert(connection, "venue_accounts", **venue, address="a", margined=margined)
            insert(connection, "marks", cycle_t=T, instrument_id=number, price=price)
    with database.session(Role.APP) as connection:
        found = read_marks(connection, T)
    assert {number: mark.price for number, mark in found.newest.items()} == {1: Price(150), 2: Price(151)}
    assert {symbol: mark.price for symbol, mark in found.assets.items()} == {"SOL": Price(150)}
