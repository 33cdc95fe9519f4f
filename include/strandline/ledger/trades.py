"""Trades that are over."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.books import Trade
from strandline.model.exact import Money


def last_trades(connection: Connection) -> Mapping[UUID, Trade]:
    """The last one of each row that ever closed one."""
    rows = connection.execute(
        text("SELECT DISTINCT ON (position_id) * FROM trades ORDER BY position_id, trade_no DESC")
    )
    return {
        row.position_id: Trade(
            position_id=row.position_id,
            trade_no=row.trade_no,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            invested=Money(row.invested),
            extracted=Money(row.extracted),
            fees=Money(row.fees),
            net_pnl=Money(row.net_pnl),
            close_reason=row.close_reason,
        )
        for row in rows
    }


def losing_streak(connection: Connection) -> int:
    """How many trades of all venues, counted back from the last, ended with a loss."""
    return int(
        connection.scalar(
            text("""
            SELECT count(*) FROM (
              SELECT count(*) FILTER (WHERE net_pnl >= 0)
                       OVER (ORDER BY closed_at DESC, position_id DESC, trade_no DESC) AS gains
              FROM trades) AS back
            WHERE gains = 0
            """)
        )
        or 0
    )
