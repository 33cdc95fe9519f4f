"""Reads an intent's position row as it is now; the holding may have changed since the intent was planned."""

from uuid import UUID

from sqlalchemy import Connection, text

from strandline.model.position import Position
from strandline.store.rows import from_row


def position(connection: Connection, position_id: UUID) -> Position:
    """Read the row and its holding."""
    row = connection.execute(
        text("""
        SELECT p.token_chain, p.book_id, p.token_contract, p.timeframe, p.desired_status, p.weight, p.ready,
               i.instrument_id, h.trade_no, h.quantity, h.average_entry, h.invested, h.extracted, h.realised_pnl,
               h.fees, h.first_fill_at, h.last_fill_at
        FROM position_rows p JOIN instruments i USING (token_chain, book_id, token_contract)
        LEFT JOIN holdings h USING (position_id)
        WHERE p.position_id = :position_id
        """),
        {"position_id": position_id},
    ).one()
    return from_row(Position, row)
