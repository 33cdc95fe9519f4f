"""Statistics of closed trades."""

from sqlalchemy import Connection, text


def losing_streak(connection: Connection) -> int:
    """Count the trades that lost since the last one that did not, over all venues."""
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
