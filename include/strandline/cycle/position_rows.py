"""Reads the rows that may be traded, each with its instrument, its holding, and whether its series is ready."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from strandline.model.instrument import Instrument
from strandline.model.position import Position
from strandline.model.record import Record
from strandline.store.rows import from_row


class PositionRow(Record, frozen=True, kw_only=True):
    """A position row and its instrument."""

    position: Position
    instrument: Instrument


def position_rows(connection: Connection) -> tuple[PositionRow, ...]:
    """Read every row that is not archived and whose instrument is registered, in a fixed order."""
    rows = connection.execute(
        text("""
        SELECT p.*, i.instrument_id, i.symbol, i.lot, i.min_notional, COALESCE(e.ready, false) AS ready,
               h.trade_no, h.quantity, h.average_entry, h.invested, h.extracted, h.realised_pnl, h.fees,
               h.first_fill_at, h.last_fill_at
        FROM positions p
        JOIN instruments i USING (token_chain, book_id, token_contract)
        LEFT JOIN holdings h USING (position_id)
        LEFT JOIN engine_states e ON e.instrument_id = i.instrument_id AND e.timeframe = p.timeframe AND e.adopted
        WHERE p.desired_status <> 'archived'
        ORDER BY p.token_chain, p.book_id, p.token_contract, p.timeframe
        """)
    )
    return tuple(from_row(PositionRow, row) for row in rows)


def unregistered_rows(connection: Connection) -> Sequence[str]:
    """Name the rows that cannot be traded yet, because the sidecar has not registered their instrument."""
    return connection.scalars(
        text("""
        SELECT concat_ws('/', token_chain, book_id, token_contract, timeframe) FROM positions p
        WHERE desired_status <> 'archived' AND NOT EXISTS (
          SELECT FROM instruments i
          WHERE (i.token_chain, i.book_id, i.token_contract) = (p.token_chain, p.book_id, p.token_contract))
        ORDER BY 1
        """)
    ).all()
