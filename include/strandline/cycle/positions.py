"""Adds rows that are to be watched and traded."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from strandline.model.exact import Ratio
from strandline.model.position import PositionKey


def add_positions(connection: Connection, rows: Iterable[tuple[PositionKey, Ratio]]) -> None:
    """Add each row with its weight; a row that exists already keeps its weight and status."""
    connection.execute(
        text("""
        INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
        VALUES (:position_id, :chain, :book, :token, :timeframe, :weight) ON CONFLICT DO NOTHING
        """),
        [
            {
                "position_id": key.position_id,
                "chain": key.venue.token_chain,
                "book": key.venue.book_id,
                "token": key.token_contract,
                "timeframe": key.timeframe,
                "weight": weight.decimal,
            }
            for key, weight in rows
        ],
    )
