"""Reads what venues did, in the order in which it was booked."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from strandline.ledger.account import Account
from strandline.ledger.books import Entry
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.side import Side
from strandline.model.venue import VenueKey


class Event(NamedTuple):
    """Cash that moved without a fill."""

    account: Account
    asset: str
    amount: Amount


def entries(connection: Connection, numbers: Sequence[int]) -> Iterator[Entry]:
    """These fills, by `booked_no`."""
    query = text("SELECT * FROM row_fills WHERE booked_no = ANY(:numbers) ORDER BY booked_no")
    return map(_entry, connection.execute(query, {"numbers": list(numbers)}))


def all_entries(connection: Connection) -> Iterator[Entry]:
    """Every fill."""
    return map(_entry, connection.execute(text("SELECT * FROM row_fills ORDER BY booked_no")))


def entry_before(connection: Connection, position_id: UUID, number: int | None) -> Entry | None:
    """The row's newest fill that was booked before this one; None for before now."""
    row = connection.execute(
        text("""
        SELECT * FROM row_fills
        WHERE position_id = :position_id AND (CAST(:number AS bigint) IS NULL OR booked_no < :number)
        ORDER BY booked_no DESC LIMIT 1
        """),
        {"position_id": position_id, "number": number},
    ).one_or_none()
    return None if row is None else _entry(row)


def events(connection: Connection, numbers: Sequence[int]) -> Iterator[Event]:
    """These cash events, by `booked_no`."""
    query = text("SELECT * FROM cash_events WHERE booked_no = ANY(:numbers) ORDER BY booked_no")
    return map(_event, connection.execute(query, {"numbers": list(numbers)}))


def all_events(connection: Connection) -> Iterator[Event]:
    """Every cash event."""
    return map(_event, connection.execute(text("SELECT * FROM cash_events ORDER BY booked_no")))


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        account=_account(row),
        position_id=row.position_id,
        order_id=row.order_id,
        token=row.token_contract,
        side=Side(row.side),
        price=Price(row.price),
        quantity=Quantity(row.quantity),
        fee=Money(row.fee),
        ts=row.ts,
        dust_below=Quantity(row.dust_below),
        closes_as=row.closes_as,
        finished=row.finished,
    )


def _event(row: Row[Any]) -> Event:
    return Event(_account(row), row.asset, Amount(row.amount))


def _account(row: Row[Any]) -> Account:
    return Account(VenueKey(token_chain=row.token_chain, book_id=row.book_id), row.address)
