"""Reads fills and cash events in the order in which they were booked."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.books import CashEntry, FillEntry
from strandline.store.rows import from_row


def fills(connection: Connection, numbers: Sequence[int]) -> Iterator[FillEntry]:
    """Read the fills with these `booked_no`."""
    query = text("SELECT * FROM row_fills WHERE booked_no = ANY(:numbers) ORDER BY booked_no")
    return (from_row(FillEntry, row) for row in connection.execute(query, {"numbers": list(numbers)}))


def all_fills(connection: Connection) -> Iterator[FillEntry]:
    """Read all fills."""
    rows = connection.execute(text("SELECT * FROM row_fills ORDER BY booked_no"))
    return (from_row(FillEntry, row) for row in rows)


def fill_before(connection: Connection, position_id: UUID, number: int | None) -> FillEntry | None:
    """Read the row's newest fill; with a number, the newest that was booked before it."""
    row = connection.execute(
        text("""
        SELECT * FROM row_fills
        WHERE position_id = :position_id AND (CAST(:number AS bigint) IS NULL OR booked_no < :number)
        ORDER BY booked_no DESC LIMIT 1
        """),
        {"position_id": position_id, "number": number},
    ).one_or_none()
    return None if row is None else from_row(FillEntry, row)


def cash_events(connection: Connection, numbers: Sequence[int]) -> Iterator[CashEntry]:
    """Read the cash events with these `booked_no`."""
    query = text("SELECT * FROM cash_events WHERE booked_no = ANY(:numbers) ORDER BY booked_no")
    return (from_row(CashEntry, row) for row in connection.execute(query, {"numbers": list(numbers)}))


def all_cash_events(connection: Connection) -> Iterator[CashEntry]:
    """Read all cash events."""
    rows = connection.execute(text("SELECT * FROM cash_events ORDER BY booked_no"))
    return (from_row(CashEntry, row) for row in rows)
