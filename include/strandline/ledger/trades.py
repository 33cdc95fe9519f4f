"""Statistics of closed trades."""

from datetime import datetime

from sqlalchemy import Connection, text


def losing_streak(connection: Connection, since: datetime | None = None) -> int:
    """Count the trades that lost since the last one that did not, over all venues; only those closed after `since`."""
    return int(
        connection.scalar(
            text("""
            SELECT count(*) FROM (
              SELECT count(*) FILTER (WHERE net_pnl >= 0)
                       OVER (ORDER BY closed_at DESC, position_id DESC, trade_no DESC) AS gains
              FROM trades WHERE CAST(:since AS timestamptz) IS NULL OR closed_at > :since) AS back
            WHERE gains = 0
            """),
            {"since": since},
        )
        or 0
    )
