"""The row that an intent is about, as the executor is to see it: what it holds is read now, not when it was planned."""

from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.tables import holding_of
from strandline.model.exact import Ratio
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey


def position(connection: Connection, position_id: UUID) -> Position:
    """The row and its confirmed holding."""
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
    venue = VenueKey(token_chain=row.token_chain, book_id=row.book_id)
    return Position(
        key=PositionKey(venue=venue, token_contract=row.token_contract, timeframe=Timeframe(row.timeframe)),
        instrument_id=row.instrument_id,
        desired_status=DesiredStatus(row.desired_status),
        weight=Ratio(row.weight),
        ready=row.ready,
        holding=Holding() if row.trade_no is None else holding_of(row),
    )
